//! Who a request comes from, before its body is read.

use domain::{Principal, Timestamp};

use super::authenticator::{Authenticator, LookupError, Mode, root_of};
use crate::sigv4::{Claim, Hint, Refusal, View, check_headers, check_time};

/// Who a request comes from.
pub(super) struct Caller {
    pub(super) principal: Principal,
    /// What the request must have been signed with; `None` where any signature will do.
    pub(super) secret_access_key: Option<String>,
}

/// Identifies the caller by what needs no body. With [`Mode::Required`] the caller is not proven before
/// [`crate::sigv4::verify`] agrees, too.
pub(super) fn identify(
    authenticator: &dyn Authenticator,
    claim: &Result<Option<Claim<'_>>, Refusal>,
    hint: Option<&Hint<'_>>,
    view: &View<'_>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    match authenticator.mode() {
        Mode::Open => {
            let token = claim.as_ref().ok().and_then(Option::as_ref).and_then(|c| c.session_token.as_deref());
            let key = hint.map(|hint| hint.access_key_id.as_ref());
            let found = key.map(|key| authenticator.lookup(key, token));
            let principal = match found {
                Some(Ok(identity)) => identity.principal,
                Some(Err(LookupError::Expired)) => return Err(Refusal::ExpiredToken),
                Some(Err(LookupError::Unknown)) | None => root_of(key),
            };
            Ok(Caller { principal, secret_access_key: None })
        }
        Mode::Required => {
            let claim = claim.as_ref().map_err(Clone::clone)?.as_ref().ok_or(Refusal::MissingToken)?;
            let identity = authenticator
                .lookup(&claim.access_key_id, claim.session_token.as_deref())
                .map_err(|error| match error {
                    LookupError::Unknown => Refusal::UnknownKey,
                    LookupError::Expired => Refusal::ExpiredToken,
                })?;
            check_time(claim, now)?;
            check_headers(claim, view)?;
            Ok(Caller { principal: identity.principal, secret_access_key: Some(identity.secret_access_key) })
        }
    }
}
