//! What the signatures of a body's chunks are made with.

use subtle::ConstantTimeEq as _;

use super::{ALGORITHM, key};

/// What the signatures of chunks are made with: each covers the one before it, the first the request's own.
#[derive(Clone)]
pub struct ChunkKey {
    key: [u8; 32],
    /// The lines that all strings to sign have between the algorithm and the previous signature.
    stamp: String,
    previous: String,
}

impl ChunkKey {
    pub(super) fn new(key: [u8; 32], signed_at: &str, scope: &str, seed: String) -> Self {
        Self { key, stamp: format!("{signed_at}\n{scope}"), previous: seed }
    }

    /// Whether the next chunk, which has this digest, has this signature.
    pub(super) fn holds_for_chunk(&mut self, digest: &[u8; 32], signature: &str) -> bool {
        let headers = key::hex(&key::sha256(b""));
        self.holds("PAYLOAD", &format!("{headers}\n{}", key::hex(digest)), signature)
    }

    /// Whether the trailer, of these lines, has this signature.
    pub(super) fn holds_for_trailer(&mut self, lines: &str, signature: &str) -> bool {
        self.holds("TRAILER", &key::hex(&key::sha256(lines.as_bytes())), signature)
    }

    fn holds(&mut self, what: &str, rest: &str, signature: &str) -> bool {
        let expected = self.sign(what, rest);
        let equal = expected.as_bytes().ct_eq(signature.as_bytes()).into();
        self.previous = expected;
        equal
    }

    fn sign(&self, what: &str, rest: &str) -> String {
        let string_to_sign = format!("{ALGORITHM}-{what}\n{}\n{}\n{rest}", self.stamp, self.previous);
        key::hex(&key::hmac(&self.key, string_to_sign.as_bytes()))
    }

    /// The signature of the next chunk.
    #[cfg(test)]
    pub(crate) fn sign_chunk(&mut self, data: &[u8]) -> String {
        let (headers, digest) = (key::hex(&key::sha256(b"")), key::hex(&key::sha256(data)));
        self.previous = self.sign("PAYLOAD", &format!("{headers}\n{digest}"));
        self.previous.clone()
    }

    /// The signature of the trailer.
    #[cfg(test)]
    pub(crate) fn sign_trailer(&mut self, lines: &str) -> String {
        self.previous = self.sign("TRAILER", &key::hex(&key::sha256(lines.as_bytes())));
        self.previous.clone()
    }
}
