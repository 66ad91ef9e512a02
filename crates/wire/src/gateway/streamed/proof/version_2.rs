//! Signature Version 2, as S3 had it first. It covers no body: a digest that is declared beside it is checked all the
//! same.

use domain::Timestamp;
use http::header::DATE;

use super::{Payload, Proof, expired, identify, invalid, mismatch, no_date, skewed};
use crate::Error;
use crate::gateway::answer::fault;
use crate::gateway::authenticator::Authenticator;
use crate::sigv2::{Claim, Form, Unreadable};
use crate::sigv4::{SKEW_OF_S3, View, date_of};

/// Identifies the caller, and proves it unless any key is accepted. `bucket` is the one that the host names.
pub(super) fn prove<'a>(
    authenticator: &dyn Authenticator,
    view: &View<'a>,
    bucket: Option<&str>,
    now: Timestamp,
) -> Result<Proof<'a>, Error> {
    let claim = Claim::of(view).map_err(|unreadable| match unreadable {
        Unreadable::Header => invalid(
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            "Authorization",
            "AWS",
        ),
        Unreadable::Query => fault(
            403,
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        ),
    })?;
    let (principal, secret) = identify(authenticator, &claim.access_key_id, claim.session_token.as_deref())?;
    in_time(&claim, view, now, secret.is_none())?;
    if let Some(secret) = secret {
        let text = claim.string_to_sign(view, bucket);
        if !claim.holds(&text, &secret) {
            return Err(mismatch(&claim.access_key_id, &claim.signature, &text));
        }
    }
    Ok(Proof {
        principal,
        access_key_id: Some(claim.access_key_id.into_owned()),
        region: None,
        payload: Payload::of(view, None, false)?,
        chunk_key: None,
    })
}

/// Whether the signature is of now. Where any is accepted, only that a URL's time has not passed.
fn in_time(claim: &Claim<'_>, view: &View<'_>, now: Timestamp, open: bool) -> Result<(), Error> {
    if let Form::Query { expires } = &claim.form {
        let seconds: i64 = expires.parse().map_err(|_| {
            fault(403, "AccessDenied", format!("Invalid date (should be seconds since epoch): {expires}"))
        })?;
        let at = Timestamp(seconds.saturating_mul(1000));
        return if at < now { Err(expired(at, now)) } else { Ok(()) };
    }
    if open {
        return Ok(());
    }
    let text = |name: &str| view.headers.get(name).and_then(|value| value.to_str().ok());
    let sent = text("x-amz-date").or_else(|| text(DATE.as_str())).ok_or_else(no_date)?;
    let at = date_of(sent).ok_or_else(no_date)?;
    if at.plus(SKEW_OF_S3) < now || now.plus(SKEW_OF_S3) < at {
        return Err(skewed(sent, now));
    }
    Ok(())
}
