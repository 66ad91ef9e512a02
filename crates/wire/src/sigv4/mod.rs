//! AWS Signature Version 4: what a signer writes and what a verifier accepts.
//!
//! A request claims an identity in its `Authorization` header or in its query ([`Claim`]); [`verify`] says whether
//! the claim holds. [`Signer`] makes such requests and pre-signed URLs. Who the keys belong to, and how a refusal
//! looks on the wire, is [`crate::gateway`]'s business.
//! The algorithm: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod canonical;
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

pub(crate) use claim::parameter;
pub use claim::{Claim, Form, Hint};
pub use refusal::{Refusal, Style};
pub use sign::Signer;
pub use verify::{check_headers, check_time, verify};

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

/// The only algorithm: SigV4A and the older ones are refused by name.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last element of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";
/// Stands where the body's digest would when the client did not digest it.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
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
