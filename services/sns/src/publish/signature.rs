//! Signatures that receivers can verify, and the certificate they verify them with.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::PrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use store::{Domain, Store, Table};
use x509_cert::builder::profile::cabf::Root;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::der::EncodePem as _;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Validity;

use crate::record::SignatureVersion;

/// The server's key and certificate; made when the first message is signed.
static KEYS: Table<(String,), Kept> = Table::of(Domain::Events, "sns.signing_keys");
const ONLY: &str = "1";

/// The path beneath the server's URL where the certificate is.
pub(crate) const CERTIFICATE_PATH: &str = "/_hearth/sns/SimpleNotificationService.pem";

const KEY_BITS: usize = 2048;
const VALID: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    /// PKCS #8, in base64.
    key: String,
    /// PEM
    certificate: String,
}

/// Signs messages.
#[derive(Clone)]
pub(crate) struct Signer(Arc<Ready>);

struct Ready {
    one: SigningKey<Sha1>,
    two: SigningKey<Sha256>,
    certificate: String,
}

/// What stands in a message.
pub(super) struct Signature {
    pub(super) version: &'static str,
    pub(super) value: String,
    pub(super) certificate_url: String,
}

/// Makes the signer once.
#[derive(Default)]
pub(crate) struct SignerCell(OnceLock<Signer>);

impl SignerCell {
    /// The server's signer. The first call makes a key, which takes a while, and keeps it.
    pub(crate) async fn get(&self, store: &Store) -> Result<Signer, String> {
        if let Some(signer) = self.0.get() {
            return Ok(signer.clone());
        }
        let kept = store
            .read(|snapshot| snapshot.get(&KEYS, (ONLY,)))
            .map_err(|error: store::Error| error.to_string())?;
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let made = tokio::task::spawn_blocking(make).await.map_err(|error| error.to_string())??;
                // Two first messages at once: the key that was stored first is everybody's.
                let stored = store.write_in(Domain::Events, move |tx| {
                    if let Some(first) = tx.get(&KEYS, (ONLY,))? {
                        return Ok(first);
                    }
                    tx.put(&KEYS, (ONLY,), &made)?;
                    Ok::<_, store::Error>(made)
                });
                stored.await.map_err(|error| error.to_string())?
            }
        };
        let signer = Signer::of(&kept)?;
        Ok(self.0.get_or_init(|| signer).clone())
    }
}

impl Signer {
    fn of(kept: &Kept) -> Result<Self, String> {
        let der = STANDARD.decode(&kept.key).map_err(|error| error.to_string())?;
        let key = PrivateKey::from_pkcs8_der(&der).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(Ready {
            one: SigningKey::new(key.clone()),
            two: SigningKey::new(key),
            certificate: kept.certificate.clone(),
        })))
    }

    /// The certificate, in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.0.certificate
    }

    /// Signs names and values, each on a line of its own.
    pub(super) fn sign(
        &self,
        version: SignatureVersion,
        base_url: &str,
        fields: &[(&str, &str)],
    ) -> Signature {
        let text: String = fields.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect();
        let (version, bytes) = match version {
            SignatureVersion::One => ("1", self.0.one.sign(text.as_bytes()).to_vec()),
            SignatureVersion::Two => ("2", self.0.two.sign(text.as_bytes()).to_vec()),
        };
        Signature {
            version,
            value: STANDARD.encode(bytes),
            certificate_url: format!("{base_url}{CERTIFICATE_PATH}"),
        }
    }
}

fn make() -> Result<Kept, String> {
    let made = || -> Result<Kept, Box<dyn std::error::Error>> {
        let key = PrivateKey::new(&mut getrandom::SysRng, KEY_BITS)?;
        let certificate = certificate(&key)?;
        Ok(Kept { key: STANDARD.encode(key.to_pkcs8_der()?.as_bytes()), certificate })
    };
    made().map_err(|error| error.to_string())
}

/// Says that the key is this server's, and says it itself: there is no authority to ask.
fn certificate(key: &PrivateKey) -> Result<String, Box<dyn std::error::Error>> {
    let profile = Root::new(false, Name::from_str("CN=Hearth SNS,O=Hearth,C=US")?)?;
    let public = SubjectPublicKeyInfoOwned::from_key(&key.to_public_key())?;
    let validity = Validity::from_now(VALID)?;
    let builder = CertificateBuilder::new(profile, SerialNumber::from(1u32), validity, public)?;
    Ok(builder.build(&SigningKey::<Sha256>::new(key.clone()))?.to_pem(LineEnding::LF)?)
}

#[cfg(test)]
mod tests {
    use rsa::pkcs1v15::{Signature as Rsa, VerifyingKey};
    use rsa::signature::Verifier as _;
    use store::{Location, Options};

    use super::*;

    #[tokio::test]
    async fn what_is_signed_verifies_with_the_key_that_is_kept() {
        let store = Store::open(&Options { location: Location::Ephemeral }).unwrap();
        let signer = SignerCell::default().get(&store).await.unwrap();
        let again = SignerCell::default().get(&store).await.unwrap();
        assert_eq!(signer.certificate(), again.certificate());
        assert!(signer.certificate().starts_with("-----BEGIN CERTIFICATE-----"));

        let fields = [("Message", "hello"), ("Type", "Notification")];
        let text = b"Message\nhello\nType\nNotification\n";
        let rsa = |signature: &Signature| {
            Rsa::try_from(STANDARD.decode(&signature.value).unwrap().as_slice()).unwrap()
        };
        let one = again.sign(SignatureVersion::One, "http://h:1", &fields);
        let two = again.sign(SignatureVersion::Two, "http://h:1", &fields);
        let public = signer.0.one.as_ref().to_public_key();
        VerifyingKey::<Sha1>::new(public.clone()).verify(text, &rsa(&one)).unwrap();
        VerifyingKey::<Sha256>::new(public).verify(text, &rsa(&two)).unwrap();
        assert_eq!((one.version, two.version), ("1", "2"));
        assert_eq!(one.certificate_url, "http://h:1/_hearth/sns/SimpleNotificationService.pem");
    }
}
