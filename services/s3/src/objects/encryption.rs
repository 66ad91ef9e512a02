//! Encryption as S3's clients speak of it. Hearth leaves the encryption of its disk to the disk: what was asked for is told
//! again, and a key that the client keeps must be shown again to read what was written with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::S3ErrorCode;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::ServerSideEncryptionConfiguration;
use store::Snapshot;

use crate::configuration;
use crate::error::{Refusal, invalid_argument, invalid_request, refuse};
use crate::record::{Bucket, Encryption, Object};

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-key";
const CUSTOMER_KEY_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";
/// A key of AES-256.
const CUSTOMER_KEY_BYTES: usize = 32;

impl Encryption {
    /// What S3 says of an object that is not encrypted with its client's key: `AES256` since 2023, if nothing else was
    /// asked for. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>
    pub(crate) fn told(&self) -> Option<String> {
        match (&self.customer_key_md5, &self.algorithm) {
            (Some(_), _) => None,
            (None, Some(algorithm)) => Some(algorithm.clone()),
            (None, None) => Some("AES256".to_owned()),
        }
    }
}

/// What the headers of a write ask for.
pub(crate) fn asked(headers: &HeaderMap) -> Result<Encryption, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let customer_key_md5 = customer_key(headers)?;
    let algorithm = text(ALGORITHM);
    if customer_key_md5.is_some() && algorithm.is_some() {
        return Err(invalid_argument(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
        ));
    }
    let kms_key = text(KMS_KEY);
    match algorithm.as_deref() {
        None | Some("AES256" | "aws:kms" | "aws:kms:dsse") => {}
        Some(_) => {
            return Err(invalid_argument("The encryption method specified is not supported")
                .with("ArgumentName", ALGORITHM));
        }
    }
    if kms_key.is_some() && !algorithm.as_deref().is_some_and(|algorithm| algorithm.starts_with("aws:kms")) {
        return Err(invalid_argument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        ));
    }
    let bucket_key = text(BUCKET_KEY).map(|enabled| enabled.eq_ignore_ascii_case("true"));
    Ok(Encryption { algorithm, kms_key, bucket_key, customer_key_md5 })
}

/// What a write gets: what it asks for, else what its bucket does.
pub(crate) fn defaulted(
    snapshot: &Snapshot<'_>,
    bucket: &Bucket,
    asked: Encryption,
) -> Result<Encryption, Refusal> {
    if asked.customer_key_md5.is_some() {
        return Ok(asked);
    }
    let configured: Option<ServerSideEncryptionConfiguration> =
        configuration::read(snapshot, &bucket.name, configuration::encryption::KIND)?;
    let rule = configured.and_then(|configured| configured.rules.into_iter().next());
    let bucket_key = asked.bucket_key.or(rule.as_ref().and_then(|rule| rule.bucket_key_enabled));
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    let (algorithm, kms_key) = match (asked.algorithm, default) {
        (Some(algorithm), _) => (Some(algorithm), asked.kms_key),
        (None, Some(default)) => (Some(default.sse_algorithm.as_str().to_owned()), default.kms_master_key_id),
        (None, None) => (None, None),
    };
    let by_kms = algorithm.as_deref().is_some_and(|algorithm| algorithm.starts_with("aws:kms"));
    let kms_key = by_kms.then(|| key_arn(bucket, kms_key.as_deref()));
    // S3 says only that a bucket key is used.
    let bucket_key = bucket_key.filter(|enabled| *enabled && algorithm.as_deref() == Some("aws:kms"));
    Ok(Encryption { algorithm, kms_key, bucket_key, customer_key_md5: None })
}

/// A key as S3 tells it; without one, that of the account's S3, which is the same for all of a region.
fn key_arn(bucket: &Bucket, key: Option<&str>) -> String {
    let scope = format!("arn:aws:kms:{}:{}", bucket.region.as_str(), bucket.owner.as_str());
    match key {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(alias) if alias.starts_with("alias/") => format!("{scope}:{alias}"),
        Some(id) => format!("{scope}:key/{id}"),
        None => {
            let id = uuid::Uuid::from_bytes(Md5::checksum(format!("{scope}:alias/aws/s3").as_bytes()));
            format!("{scope}:key/{id}")
        }
    }
}

/// The MD5 of the key that a client shows, if it shows one.
pub(crate) fn customer_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(CUSTOMER_ALGORITHM), text(CUSTOMER_KEY), text(CUSTOMER_KEY_MD5)) {
        (None, None, None) => Ok(None),
        (Some("AES256"), Some(key), Some(md5)) => {
            let key =
                STANDARD.decode(key).ok().filter(|key| key.len() == CUSTOMER_KEY_BYTES).ok_or_else(|| {
                    invalid_argument("The secret key was invalid for the specified algorithm.")
                })?;
            let mut digest = Md5::new();
            digest.update(&key);
            if STANDARD.encode(digest.finalize()) != md5 {
                return Err(invalid_argument(
                    "The calculated MD5 hash of the key did not match the hash that was provided.",
                ));
            }
            Ok(Some(md5.to_owned()))
        }
        (Some("AES256"), None, _) => Err(invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret \
             key.",
        )),
        (Some("AES256"), _, None) => Err(invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated \
             MD5 of the secret key.",
        )),
        (None, ..) => Err(invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption \
             algorithm.",
        )),
        (Some(_), ..) => Err(refuse(
            S3ErrorCode::InvalidEncryptionAlgorithmError,
            "The Encryption request you specified is not valid. Supported value: AES256.",
        )),
    }
}

/// Refuses a reader that does not show the key with which an object was written, or shows one where there is none.
pub(crate) fn check_reader(object: &Object, shown: Option<&str>) -> Result<(), Refusal> {
    match (object.described.encryption.customer_key_md5.as_deref(), shown) {
        (None, None) => Ok(()),
        (Some(written), Some(shown)) if written == shown => Ok(()),
        (Some(_), None) => Err(invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
             retrieve the object.",
        )),
        (Some(_), Some(_)) => Err(refuse(
            S3ErrorCode::AccessDenied,
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.",
        )),
        (None, Some(_)) => {
            Err(invalid_request("The encryption parameters are not applicable to this object."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &[u8], md5: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CUSTOMER_ALGORITHM, "AES256".parse().unwrap());
        headers.insert(CUSTOMER_KEY, STANDARD.encode(key).parse().unwrap());
        headers.insert(CUSTOMER_KEY_MD5, md5.parse().unwrap());
        headers
    }

    #[test]
    fn a_clients_key_is_known_by_its_digest() {
        let mut digest = Md5::new();
        digest.update(&[0; 32]);
        let md5 = STANDARD.encode(digest.finalize());
        let asked = asked(&headers(&[0; 32], &md5)).unwrap();
        assert_eq!(asked.customer_key_md5.as_deref(), Some(md5.as_str()));
        assert_eq!(asked.told(), None);
        assert!(super::asked(&headers(&[1; 32], &md5)).is_err());
        assert!(super::asked(&headers(&[0; 31], &md5)).is_err());
    }

    #[test]
    fn who_reads_shows_the_same_key() {
        let mut object = Object::default();
        assert!(check_reader(&object, None).is_ok());
        assert!(check_reader(&object, Some("x")).is_err());
        object.described.encryption.customer_key_md5 = Some("x".into());
        assert!(check_reader(&object, Some("x")).is_ok());
        assert!(check_reader(&object, Some("y")).is_err());
        assert!(check_reader(&object, None).is_err());
    }
}
