//! AWS Signature Version 4: what a signer writes and what a verifier accepts.
//!
//! A request claims an identity in its `Authorization` header or in its query ([`Claim`]); [`verify`] says whether
//! the claim holds. [`Signer`] makes such requests and pre-signed URLs. Who the keys belong to, and how a refusal
//! looks on the wire, is [`crate::gateway`]'s business.
//! The algorithm: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
mod chunk_key;
mod chunks;
mod claim;
mod key;
mod refusal;
mod sign;
mod time;
mod verify;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use chunk_key::ChunkKey;
pub use chunks::{ChunkError, Decoder};
pub(crate) use claim::parameter;
pub use claim::{Claim, Form, Hint};
pub(crate) use key::hex;
pub use refusal::{Refusal, Style};
pub use sign::Signer;
pub(crate) use time::{format_basic as format_date, parse_date_header as date_of};
pub(crate) use verify::{SKEW_OF_S3, expected, unsigned_headers};
pub use verify::{check_headers, check_time, verify, verify_head};

use domain::Timestamp;

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

/// The only algorithm: SigV4A and the older ones are refused by name.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last element of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";
/// Stands where the body's digest would when the client did not digest it.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// A body in chunks that are signed, one after the other.
pub(crate) const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
/// The same, with headers behind the body.
pub(crate) const SIGNED_CHUNKS_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
/// A body in chunks that are not signed, with headers behind it.
pub(crate) const UNSIGNED_CHUNKS_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// Carries the body's digest, or says why there is none.
pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// The parts of a request that a signature covers, as they arrived: nothing decoded, nothing normalised.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path with its percent-encoding as sent.
    pub path: &'a str,
    /// What follows `?`, as sent; empty without one.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// `:authority` of HTTP/2, or of an absolute request line; stands in for a missing `Host`.
    pub authority: Option<&'a str>,
}

impl<'a> From<&'a Parts> for View<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or(""),
            headers: &parts.headers,
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
        }
    }
}

impl<'a> View<'a> {
    /// A header's value when it is text.
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The host the request was sent to.
    pub fn host(&self) -> Option<&'a str> {
        self.header(HOST.as_str()).or(self.authority)
    }
}

/// Whether `secret` makes this signature of a browser form's policy, which is signed as it was sent, in Base64.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>
pub fn verify_policy(policy: &str, signature: &str, scope: [&str; 3], secret: &str) -> bool {
    let [date, region, service] = scope;
    let key = key::signing_key(secret, date, region, service);
    let expected = hex(&key::hmac(&key, policy.as_bytes()));
    subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), signature.as_bytes()).into()
}

/// The digest of a body that is empty, in hexadecimal.
pub(crate) fn sha256_of_nothing() -> String {
    hex(&key::sha256(b""))
}

/// Reads a time in the form of `X-Amz-Date`.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    time::parse_basic(text)
}
