//! A function's environment variables, and how they are kept.
//!
//! With a `KMSKeyArn` they are sealed in the store: by a key that is made of the server's secret and that ARN, so that
//! what is kept of one key says nothing about another's. There is no KMS to ask: whoever has the store's secret can
//! read them, and so can whoever may read the function's configuration.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use sha2::Sha256;
use store::SECRET_BYTES;

/// What sealing keys are made of. A process has one store, and records know how they are kept without asking for it.
static SECRET: OnceLock<[u8; SECRET_BYTES]> = OnceLock::new();

/// The variables, and the key that they are kept under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Absent if the caller never sent `Environment`: AWS then leaves it out of responses, too.
    pub values: Option<BTreeMap<String, String>>,
    /// `KMSKeyArn`
    pub kms_key_arn: Option<String>,
}

/// As it is kept: as it is, or a pair of the key's ARN and what is sealed by it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Sealed(String, Option<String>),
    Plain(Option<BTreeMap<String, String>>),
}

/// Before any record is read or written.
pub fn unlock(server_secret: &[u8; SECRET_BYTES]) {
    // The first store of a process decides. Only tests have another.
    let _ = SECRET.set(*server_secret);
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(arn) = &self.kms_key_arn else { return self.values.serialize(serializer) };
        let sealed = self.values.as_ref().map(|values| seal(arn, values)).transpose();
        Kept::Sealed(arn.clone(), sealed.map_err(ser::Error::custom)?).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Kept::deserialize(deserializer)? {
            Kept::Plain(values) => Self { values, kms_key_arn: None },
            Kept::Sealed(arn, sealed) => {
                let values =
                    sealed.map(|sealed| open(&arn, &sealed)).transpose().map_err(de::Error::custom)?;
                Self { values, kms_key_arn: Some(arn) }
            }
        })
    }
}

fn key(arn: &str) -> Result<LessSafeKey, String> {
    let secret = SECRET.get().ok_or("the store's secret is not known yet")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|error| error.to_string())?;
    mac.update(b"hearth environment variables 1\n");
    mac.update(arn.as_bytes());
    let key =
        UnboundKey::new(&AES_256_GCM, &mac.finalize().into_bytes()).map_err(|error| error.to_string())?;
    Ok(LessSafeKey::new(key))
}

fn seal(arn: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let mut text = serde_json::to_vec(values).map_err(|error| error.to_string())?;
    key(arn)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .map_err(|error| error.to_string())?;
    Ok(STANDARD.encode([nonce.as_slice(), &text].concat()))
}

fn open(arn: &str, sealed: &str) -> Result<BTreeMap<String, String>, String> {
    const BROKEN: &str = "the sealed environment variables cannot be opened";
    let mut bytes = STANDARD.decode(sealed).map_err(|_| BROKEN)?;
    let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(BROKEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| BROKEN)?;
    let text = key(arn)?.open_in_place(nonce, Aad::empty(), text).map_err(|_| BROKEN)?;
    serde_json::from_slice(text).map_err(|_| BROKEN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:000000000000:key/x";

    fn variables(arn: Option<&str>) -> Variables {
        unlock(&[7; SECRET_BYTES]);
        let values = BTreeMap::from([("TOKEN".to_owned(), "s3cr3t".to_owned())]);
        Variables { values: Some(values), kms_key_arn: arn.map(str::to_owned) }
    }

    #[test]
    fn with_a_key_they_are_kept_sealed() {
        let kept = serde_json::to_string(&variables(Some(ARN))).unwrap();
        assert!(kept.contains(ARN) && !kept.contains("s3cr3t") && !kept.contains("TOKEN"), "{kept}");
        assert_eq!(serde_json::from_str::<Variables>(&kept).unwrap(), variables(Some(ARN)));
        // Never twice alike.
        assert_ne!(kept, serde_json::to_string(&variables(Some(ARN))).unwrap());
    }

    #[test]
    fn without_one_they_are_kept_as_ever() {
        let kept = serde_json::to_string(&variables(None)).unwrap();
        assert_eq!(kept, r#"{"TOKEN":"s3cr3t"}"#);
        assert_eq!(serde_json::from_str::<Variables>(&kept).unwrap(), variables(None));
        assert_eq!(serde_json::from_str::<Variables>("null").unwrap(), Variables::default());
        let named = r#"{"kms_key_arn":"a","values":"b"}"#;
        assert_eq!(serde_json::from_str::<Variables>(named).unwrap().values.unwrap().len(), 2);
    }

    #[test]
    fn what_was_changed_or_is_of_another_key_is_not_opened() {
        let kept = serde_json::to_string(&variables(Some(ARN))).unwrap();
        let other = kept.replace("key/x", "key/y");
        assert!(serde_json::from_str::<Variables>(&other).is_err());
        assert!(serde_json::from_str::<Variables>(&format!(r#"["{ARN}","AAAA"]"#)).is_err());
        let none = Variables { values: None, ..variables(Some(ARN)) };
        let kept = serde_json::to_string(&none).unwrap();
        assert_eq!(serde_json::from_str::<Variables>(&kept).unwrap(), none);
    }
}
