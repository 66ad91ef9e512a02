//! Signature Version 4, as S3 wants it.

use domain::{Region, Timestamp};
use http::header::AUTHORIZATION;

use super::{Payload, Proof, clipped, expired, identify, iso, mismatch, no_date, skewed, spelled};
use crate::Error;
use crate::gateway::answer::fault;
use crate::gateway::authenticator::{Authenticator, Mode};
use crate::sigv4::{self, Claim, Form, Hint, Refusal, Style, TERMINATOR, View, parameter};

/// Identifies the caller, and proves it unless any key is accepted.
pub(super) fn prove<'a>(
    authenticator: &dyn Authenticator,
    view: &View<'a>,
    now: Timestamp,
) -> Result<Proof<'a>, Error> {
    let open = authenticator.mode() == Mode::Open;
    if !open {
        complete(view)?;
    }
    let claim = Claim::of(view);
    let hint = Hint::of(&claim, view);
    let (claim, hint) = match (claim, hint) {
        (Ok(claim), Some(hint)) => (claim, hint),
        // Where nothing is checked, whom it names is enough; but a URL that S3 would never honour is a mistake to tell.
        (Err(refusal), Some(hint)) if open && !is_about_expiry(&refusal) => (None, hint),
        (Err(refusal), _) => return Err(unreadable(view, &refusal)),
        (Ok(_), None) => return Err(unreadable(view, &Refusal::MissingToken)),
    };
    let token = claim.as_ref().and_then(|claim| claim.session_token.as_deref());
    let (principal, secret) = identify(authenticator, &hint.access_key_id, token)?;
    if let Some(claim) = &claim {
        in_time(claim, now, open)?;
    }
    let in_header = claim.as_ref().is_some_and(|claim| claim.form == Form::Header);
    let payload = Payload::of(view, claim.as_ref(), in_header && !open)?;
    let mut chunk_key = None;
    if let (Some(claim), Some(secret)) = (&claim, &secret) {
        all_signed(claim, view)?;
        sigv4::verify_head(claim, view, &payload.line, secret)
            .map_err(|_| explained(claim, view, &payload.line))?;
        chunk_key = Some(claim.chunk_key(secret));
    }
    let region = Region::parse(&hint.region).ok_or_else(|| {
        malformed(view, &format!("the region '{}' is wrong; it is no region", clipped(&hint.region)))
    })?;
    let access_key_id = Some(hint.access_key_id.into_owned());
    Ok(Proof { principal, access_key_id, region: Some(region), payload, chunk_key })
}

/// Whether what cannot be read is how long a signed URL holds.
fn is_about_expiry(refusal: &Refusal) -> bool {
    refusal.message(Style::S3).starts_with("X-Amz-Expires ")
}

/// Whether a signed URL has all that S3 asks for: also how long it holds, which others do without.
fn complete(view: &View<'_>) -> Result<(), Error> {
    let is_there = |name: &str| parameter(view.query, &format!("X-Amz-{name}")).is_some();
    let all = ["Credential", "Signature", "Date", "SignedHeaders", "Expires"];
    if view.headers.contains_key(AUTHORIZATION) || !is_there("Algorithm") || all.into_iter().all(is_there) {
        return Ok(());
    }
    Err(fault(
        400,
        "AuthorizationQueryParametersError",
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
         X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    ))
}

/// A claim that cannot be read, in S3's words.
fn unreadable(view: &View<'_>, refusal: &Refusal) -> Error {
    if let Some(text) = view.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let has = |name: &str| {
            text.split([' ', ',']).any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name))
        };
        if !(has("Credential") && has("SignedHeaders") && has("Signature")) {
            return malformed(
                view,
                "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
            );
        }
        if !view.headers.contains_key("x-amz-date") && !view.headers.contains_key(http::header::DATE) {
            return no_date();
        }
    }
    let text = refusal.message(Style::S3);
    if text.starts_with("Credential must") {
        return malformed(
            view,
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        );
    }
    if text.starts_with("Credential should be scoped with a valid terminator") {
        return malformed(view, &format!("incorrect terminal. This endpoint uses \"{TERMINATOR}\"."));
    }
    malformed(view, &text)
}

/// Something is wrong with the claim, wherever it stands.
fn malformed(view: &View<'_>, what: &str) -> Error {
    if view.headers.contains_key(AUTHORIZATION) {
        let message = format!("The authorization header is malformed; {what}");
        return fault(400, "AuthorizationHeaderMalformed", message);
    }
    let message = if what.contains("Credential") || what.contains("terminal") || what.contains("region") {
        format!("Error parsing the X-Amz-Credential parameter; {what}")
    } else {
        what.to_owned()
    };
    fault(400, "AuthorizationQueryParametersError", message)
}

/// Whether the signature is of now. Where any is accepted, only that a URL's time has not passed.
fn in_time(claim: &Claim<'_>, now: Timestamp, open: bool) -> Result<(), Error> {
    let refusal = match sigv4::check_time(claim, now) {
        Ok(()) => return Ok(()),
        Err(refusal) => refusal,
    };
    let signed_at = sigv4::format_date(claim.signed_at);
    match (&refusal, claim.form) {
        (Refusal::RequestExpired, Form::Query { expires }) => {
            let error = expired(claim.signed_at.plus(expires), now);
            Err(error.with_field("X-Amz-Expires", expires.as_secs().to_string()))
        }
        _ if open => Ok(()),
        (Refusal::Skewed(_), Form::Header) => Err(skewed(&signed_at, now)),
        (Refusal::Skewed(_), Form::Query { .. }) => {
            Err(fault(403, "AccessDenied", "Request is not valid yet")
                .with_field("RequestTime", signed_at)
                .with_field("ServerTime", iso(now)))
        }
        (_, form) => {
            let what = format!(
                "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
                claim.date,
                &signed_at[..8]
            );
            Err(match form {
                Form::Header => fault(
                    400,
                    "AuthorizationHeaderMalformed",
                    format!("The authorization header is malformed; {what}"),
                ),
                Form::Query { .. } => fault(400, "AuthorizationQueryParametersError", what),
            })
        }
    }
}

/// Whether the signature covers the host and every header that S3 reads.
fn all_signed(claim: &Claim<'_>, view: &View<'_>) -> Result<(), Error> {
    let unsigned: Vec<&str> = sigv4::unsigned_headers(claim, view).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(fault(403, "AccessDenied", "There were headers present in the request which were not signed")
        .with_field("HeadersNotSigned", unsigned.join(", ")))
}

/// The signature is not the secret's: with both of what it should have been made of.
fn explained(claim: &Claim<'_>, view: &View<'_>, payload: &str) -> Error {
    let expected = sigv4::expected(claim, view, payload);
    let text = expected.as_ref().map_or("", |expected| expected.string_to_sign.as_str());
    let error = mismatch(&claim.access_key_id, claim.signature(), text);
    let canonical_request = expected.map(|expected| expected.canonical_request).unwrap_or_default();
    error
        .with_field("CanonicalRequestBytes", spelled(&canonical_request))
        .with_field("CanonicalRequest", canonical_request)
}
