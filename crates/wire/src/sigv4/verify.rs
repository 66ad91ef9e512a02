//! Whether a claim holds: the time, what had to be signed, and the signature.

use std::time::Duration;

use domain::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ALGORITHM, Claim, Form, Refusal, TERMINATOR, View, canonical, key, time};

/// How far the clocks of client and server may be apart.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
const SKEW: Duration = Duration::from_secs(5 * 60);
/// S3 is more patient. <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>
pub(crate) const SKEW_OF_S3: Duration = Duration::from_secs(15 * 60);

/// Whether the signature is of now. Cheap, and needs no body: ask it first.
pub fn check_time(claim: &Claim<'_>, now: Timestamp) -> Result<(), Refusal> {
    let skew = if canonical::is_s3(&claim.service) { SKEW_OF_S3 } else { SKEW };
    let minutes = skew.as_secs() / 60;
    let day = &time::format_basic(claim.signed_at)[..8];
    if claim.date != day {
        return Err(Refusal::Invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
             '{day}', from '{}'.",
            claim.date,
            time::format_basic(claim.signed_at)
        )));
    }
    if claim.signed_at > now.plus(skew) {
        return Err(Refusal::too_new(claim.signed_at, now, now.plus(skew), minutes));
    }
    match claim.form {
        Form::Header if claim.signed_at.plus(skew) < now => {
            let limit =
                Timestamp(now.epoch_ms().saturating_sub(i64::try_from(skew.as_millis()).unwrap_or(i64::MAX)));
            Err(Refusal::too_old(claim.signed_at, now, limit, minutes))
        }
        Form::Query { expires } if claim.signed_at.plus(expires) < now => Err(Refusal::RequestExpired),
        _ => Ok(()),
    }
}

/// Whether the signature covers what it must: the host, and every `x-amz-` header that is there. Without this a
/// request could be given another meaning on its way, under the same signature.
pub fn check_headers(claim: &Claim<'_>, view: &View<'_>) -> Result<(), Refusal> {
    match unsigned_headers(claim, view).next() {
        None => Ok(()),
        Some("host") => Err(Refusal::Incomplete(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        )),
        Some(name) => {
            Err(Refusal::Incomplete(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
        }
    }
}

/// What the signature must cover, and does not.
pub(crate) fn unsigned_headers<'a>(claim: &'a Claim<'_>, view: &View<'a>) -> impl Iterator<Item = &'a str> {
    let signed = |wanted: &str| claim.signed_headers.split(';').any(|name| name == wanted);
    // A session token proves itself: it decides which secret the signature is checked against.
    let must = |name: &str| name.starts_with("x-amz-") && name != "x-amz-security-token";
    let names = view.headers.keys().map(http::HeaderName::as_str).filter(move |name| must(name));
    std::iter::once("host").chain(names).filter(move |name| !signed(name))
}

/// Whether `secret` makes the claim's signature of this request and this body.
pub fn verify(claim: &Claim<'_>, view: &View<'_>, body: &[u8], secret: &str) -> Result<(), Refusal> {
    let payload = claim.payload_line(view, body).ok_or(Refusal::Mismatch)?;
    verify_head(claim, view, &payload, secret)
}

/// Whether `secret` makes the claim's signature of this request, whose canonical form has this line for the body: a
/// digest, which is to be compared with the body's as it is read, or what stands for one.
pub fn verify_head(claim: &Claim<'_>, view: &View<'_>, payload: &str, secret: &str) -> Result<(), Refusal> {
    let expected = signature(claim, view, payload, secret).ok_or(Refusal::Mismatch)?;
    let equal: bool = expected.as_bytes().ct_eq(claim.signature.as_bytes()).into();
    if equal { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The signature of a request, in hexadecimal; `None` when a signed header is missing.
pub(super) fn signature(claim: &Claim<'_>, view: &View<'_>, payload: &str, secret: &str) -> Option<String> {
    let mut digest = Sha256::new();
    canonical::write(view, &claim.service, &claim.signed_headers, payload, &mut digest).ok()?;
    let string_to_sign = string_to_sign(claim, &digest.finalize().into());
    let key = key::signing_key(secret, &claim.date, &claim.region, &claim.service);
    Some(key::hex(&key::hmac(&key, string_to_sign.as_bytes())))
}

fn string_to_sign(claim: &Claim<'_>, digest: &[u8; 32]) -> String {
    let (date, region, service) = (&claim.date, &claim.region, &claim.service);
    format!(
        "{ALGORITHM}\n{}\n{date}/{region}/{service}/{TERMINATOR}\n{}",
        time::format_basic(claim.signed_at),
        key::hex(digest)
    )
}

/// What a signature should have been made of, for a client that made it of something else.
pub(crate) struct Expected {
    pub(crate) canonical_request: String,
    pub(crate) string_to_sign: String,
}

/// What the claim's signature should have been made of; `None` when a signed header is missing.
pub(crate) fn expected(claim: &Claim<'_>, view: &View<'_>, payload: &str) -> Option<Expected> {
    let mut canonical = Vec::new();
    canonical::write(view, &claim.service, &claim.signed_headers, payload, &mut canonical).ok()?;
    let string_to_sign = string_to_sign(claim, &key::sha256(&canonical));
    Some(Expected { canonical_request: String::from_utf8_lossy(&canonical).into_owned(), string_to_sign })
}
