//! Whether a claim holds: the time, what had to be signed, and the signature.

use std::time::Duration;

use domain::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ALGORITHM, Claim, Form, Refusal, TERMINATOR, View, canonical, key, time};

/// How far the clocks of client and server may be apart.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
const SKEW: Duration = Duration::from_secs(5 * 60);

/// Whether the signature is of now. Cheap, and needs no body: ask it first.
pub fn check_time(claim: &Claim<'_>, now: Timestamp) -> Result<(), Refusal> {
    let minutes = SKEW.as_secs() / 60;
    let day = &time::format_basic(claim.signed_at)[..8];
    if claim.date != day {
        return Err(Refusal::Invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
             '{day}', from '{}'.",
            claim.date,
            time::format_basic(claim.signed_at)
        )));
    }
    if claim.signed_at > now.plus(SKEW) {
        return Err(Refusal::too_new(claim.signed_at, now, now.plus(SKEW), minutes));
    }
    match claim.form {
        Form::Header if claim.signed_at.plus(SKEW) < now => {
            let limit = Timestamp(now.epoch_ms().saturating_sub(300_000));
            Err(Refusal::too_old(claim.signed_at, now, limit, minutes))
        }
        Form::Query { expires } if claim.signed_at.plus(expires) < now => Err(Refusal::RequestExpired),
        _ => Ok(()),
    }
}

/// Whether the signature covers what it must: the host, and every `x-amz-` header that is there. Without this a
/// request could be given another meaning on its way, under the same signature.
pub fn check_headers(claim: &Claim<'_>, view: &View<'_>) -> Result<(), Refusal> {
    let signed = |wanted: &str| claim.signed_headers.split(';').any(|name| name == wanted);
    if !signed("host") {
        return Err(Refusal::Incomplete(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        ));
    }
    let loose = view.headers.keys().map(http::HeaderName::as_str).find(|name| {
        // A session token proves itself: it decides which secret the signature is checked against.
        name.starts_with("x-amz-") && *name != "x-amz-security-token" && !signed(name)
    });
    loose.map_or(Ok(()), |name| {
        Err(Refusal::Incomplete(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
    })
}

/// Whether `secret` makes the claim's signature of this request and this body.
pub fn verify(claim: &Claim<'_>, view: &View<'_>, body: &[u8], secret: &str) -> Result<(), Refusal> {
    let payload = claim.payload_line(view, body).ok_or(Refusal::Mismatch)?;
    let expected = signature(claim, view, &payload, secret).ok_or(Refusal::Mismatch)?;
    let equal: bool = expected.as_bytes().ct_eq(claim.signature.as_bytes()).into();
    if equal { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The signature of a request, in hexadecimal; `None` when a signed header is missing.
pub(super) fn signature(claim: &Claim<'_>, view: &View<'_>, payload: &str, secret: &str) -> Option<String> {
    let mut digest = Sha256::new();
    canonical::write(view, &claim.service, &claim.signed_headers, payload, &mut digest).ok()?;
    let (date, region, service) = (&claim.date, &claim.region, &claim.service);
    let string_to_sign = format!(
        "{ALGORITHM}\n{}\n{date}/{region}/{service}/{TERMINATOR}\n{}",
        time::format_basic(claim.signed_at),
        key::hex(&digest.finalize().into())
    );
    let key = key::signing_key(secret, date, region, service);
    Some(key::hex(&key::hmac(&key, string_to_sign.as_bytes())))
}
