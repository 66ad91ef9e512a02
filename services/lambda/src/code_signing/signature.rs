//! Signatures of packages.
//!
//! AWS Signer's own format is not published, so this is Hearth's: the archive's comment, which every zip has room for,
//! holds a line of JSON with the signing profile's version and an Ed25519 signature over that, the times, and the
//! SHA-256 of every byte before the comment. So nothing in the archive can change without the signature noticing, its
//! directory included, and any tool still reads it. `hearth sign` writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a comment begins with that is a signature.
const MARK: &str = "hearth-signature:";
/// The end of a zip's directory: this, eighteen bytes more, the comment's length, the comment.
/// <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT> 4.3.16
const DIRECTORY_END: [u8; 4] = *b"PK\x05\x06";
const DIRECTORY_END_BYTES: usize = 22;
/// A public key in DER: what is before the 32 bytes of the key itself, in RFC 8410.
const PUBLIC_KEY_DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PUBLIC_KEY_BYTES: usize = 32;

/// What a signed package says of its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// The ARN of the version of the signing profile.
    pub profile_version_arn: String,
    /// In seconds since 1970.
    pub signed_at: i64,
    /// In seconds since 1970; none is never.
    pub expires_at: Option<i64>,
    /// Base64.
    signature: String,
}

/// The public half of a signing profile's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_KEY_BYTES]);

/// The private half.
pub struct PrivateKey(Ed25519KeyPair);

impl Signature {
    /// Reads the signature of a package; none if it has none.
    pub fn read(zip: &[u8]) -> Option<Self> {
        let comment = std::str::from_utf8(split(zip)?.1).ok()?;
        serde_json::from_str(comment.strip_prefix(MARK)?).ok()
    }

    /// Whether it is this key's, over this package as it is.
    pub fn verifies(&self, zip: &[u8], key: &PublicKey) -> bool {
        let Some((signed, _)) = split(zip) else { return false };
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        UnparsedPublicKey::new(&ED25519, key.0).verify(&self.message(signed), &signature).is_ok()
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires| expires.saturating_mul(1000) <= now.epoch_ms())
    }

    /// What is signed. It says what it is, so that a key can be used for other things, too.
    fn message(&self, signed: &[u8]) -> Vec<u8> {
        let expires = self.expires_at.map_or_else(|| "-".to_owned(), |moment| moment.to_string());
        let digest: String = Sha256::digest(signed).iter().map(|byte| format!("{byte:02x}")).collect();
        let Self { profile_version_arn, signed_at, .. } = self;
        format!("hearth package signature 1\n{profile_version_arn}\n{signed_at}\n{expires}\n{digest}\n")
            .into_bytes()
    }
}

/// Signs a package. A signature that it had is replaced, and so is any other comment.
pub fn sign(
    zip: &[u8],
    key: &PrivateKey,
    profile_version_arn: &str,
    signed_at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<Vec<u8>, String> {
    let (signed, _) = split(zip).ok_or("it is not a zip archive")?;
    let seconds = |moment: Timestamp| moment.epoch_ms().div_euclid(1000);
    let mut signature = Signature {
        profile_version_arn: profile_version_arn.to_owned(),
        signed_at: seconds(signed_at),
        expires_at: expires_at.map(seconds),
        signature: String::new(),
    };
    signature.signature = STANDARD.encode(key.0.sign(&signature.message(signed)));
    let json = serde_json::to_string(&signature).map_err(|error| error.to_string())?;
    let comment = format!("{MARK}{json}");
    let length = u16::try_from(comment.len()).map_err(|_| "the profile's ARN is too long")?;
    Ok([signed, &length.to_le_bytes(), comment.as_bytes()].concat())
}

/// All of a zip up to the length of its comment, and the comment.
fn split(zip: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = zip.len().checked_sub(DIRECTORY_END_BYTES)?;
    let last = first.saturating_sub(usize::from(u16::MAX));
    // Whoever reads archives takes the last mark whose comment ends where the file does.
    (last..=first).rev().find_map(|at| {
        let comment = at + DIRECTORY_END_BYTES;
        let length = u16::from_le_bytes([zip[comment - 2], zip[comment - 1]]);
        let fits = comment + usize::from(length) == zip.len();
        (zip[at..].starts_with(&DIRECTORY_END) && fits).then(|| (&zip[..comment - 2], &zip[comment..]))
    })
}

impl PublicKey {
    /// Reads a PEM file (`BEGIN PUBLIC KEY`), or the base64 of the key's 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = match pem(text, "PUBLIC KEY") {
            Some(der) => der.strip_prefix(&PUBLIC_KEY_DER)?.to_vec(),
            None => STANDARD.decode(text.trim()).ok()?,
        };
        bytes.try_into().ok().map(Self)
    }

    /// As a PEM file.
    pub fn to_pem(&self) -> String {
        to_pem("PUBLIC KEY", &[&PUBLIC_KEY_DER[..], &self.0].concat())
    }
}

impl PrivateKey {
    /// A new key, and the PEM file to keep it in.
    pub fn generate() -> Result<(Self, String), String> {
        let random = ring::rand::SystemRandom::new();
        let der = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| "the machine gives no random bytes")?;
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).map_err(|error| error.to_string())?;
        Ok((Self(pair), to_pem("PRIVATE KEY", der.as_ref())))
    }

    /// Reads a PEM file (`BEGIN PRIVATE KEY`) with an Ed25519 key; OpenSSL's have no public half in them.
    pub fn parse(text: &str) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pem(text, "PRIVATE KEY")?).ok().map(Self)
    }

    /// Its other half.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; PUBLIC_KEY_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }
}

fn pem(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

fn to_pem(kind: &str, der: &[u8]) -> String {
    /// RFC 7468
    const LINE: usize = 64;
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const PROFILE: &str = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/team/abcdefghij";

    fn package() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(b"def handler(event, context): return 1").unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn signed() -> (Vec<u8>, PublicKey) {
        let (key, _) = PrivateKey::generate().unwrap();
        let zip = sign(&package(), &key, PROFILE, Timestamp(5_000), Some(Timestamp(9_000))).unwrap();
        (zip, key.public())
    }

    #[test]
    fn what_is_signed_verifies_and_is_still_an_archive() {
        let (zip, key) = signed();
        let signature = Signature::read(&zip).unwrap();
        assert_eq!((signature.profile_version_arn.as_str(), signature.signed_at), (PROFILE, 5));
        assert!(signature.verifies(&zip, &key));
        assert!(!signature.is_expired(Timestamp(8_999)));
        assert!(signature.is_expired(Timestamp(9_000)));
        assert_eq!(zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap().len(), 1);
    }

    #[test]
    fn no_byte_can_change() {
        let (zip, key) = signed();
        for at in 0..zip.len() {
            let mut other = zip.clone();
            other[at] ^= 1;
            let verifies = Signature::read(&other).is_some_and(|signature| signature.verifies(&other, &key));
            // Base64 and JSON have bits that say nothing; what is signed never has.
            assert!(!verifies || at >= package().len(), "byte {at}");
        }
    }

    #[test]
    fn another_key_or_another_package_does_not_verify() {
        let (zip, _) = signed();
        let (other, key) = signed();
        assert!(!Signature::read(&zip).unwrap().verifies(&zip, &key));
        let signature = Signature::read(&other).unwrap();
        let changed = [b"#!/bin/sh\n", other.as_slice()].concat();
        assert!(!signature.verifies(&changed, &key));
    }

    #[test]
    fn a_package_without_a_signature_has_none() {
        assert_eq!(Signature::read(&package()), None);
        for nonsense in [&b""[..], b"PK", &[0; 100_000]] {
            assert_eq!(Signature::read(nonsense), None);
        }
    }

    #[test]
    fn signing_again_replaces_the_signature() {
        let (key, _) = PrivateKey::generate().unwrap();
        let once = sign(&package(), &key, PROFILE, Timestamp(5_000), None).unwrap();
        let twice = sign(&once, &key, "another", Timestamp(6_000), None).unwrap();
        assert_eq!(Signature::read(&twice).unwrap().profile_version_arn, "another");
        assert!(Signature::read(&twice).unwrap().verifies(&twice, &key.public()));
    }

    #[test]
    fn keys_are_kept_as_openssl_keeps_them() {
        let (key, text) = PrivateKey::generate().unwrap();
        assert_eq!(PrivateKey::parse(&text).unwrap().public(), key.public());
        assert_eq!(PublicKey::parse(&key.public().to_pem()).unwrap(), key.public());
        // Made with `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`.
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIDqHyTDhaLnUPEuc8WJgvlJgB+oLYbHaJLmjTPomiMQ4\n-----END PRIVATE KEY-----\n";
        assert!(PrivateKey::parse(private).is_some());
        assert_eq!(PublicKey::parse("not a key"), None);
    }
}
