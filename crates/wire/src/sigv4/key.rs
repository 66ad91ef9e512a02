//! Digests, keyed digests and the key that a day, a region and a service share.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::TERMINATOR;

/// The key for one day, region and service: all that signing needs of the secret.
pub(super) fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let seed = [b"AWS4", secret.as_bytes()].concat();
    let day = hmac(&seed, date.as_bytes());
    let day_region = hmac(&day, region.as_bytes());
    let day_region_service = hmac(&day_region, service.as_bytes());
    hmac(&day_region_service, TERMINATOR.as_bytes())
}

/// HMAC-SHA256.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
