//! Proves signatures that the gateway does not read, such as that of a browser's form.

use std::sync::Arc;

use domain::Principal;

use crate::gateway::authenticator::{Authenticator, LookupError, Mode, root_of};
use crate::sigv2;
use crate::sigv4::{self, Refusal};

/// Looks up who signed what the gateway does not read, such as the policy of a browser's form.
#[derive(Clone)]
pub struct Keys(Arc<dyn Authenticator>);

impl Keys {
    pub(super) fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self(authenticator)
    }

    /// Who signed a policy, which is given in Base64, as it was sent. While no credentials are configured, whoever the
    /// key says. `scope` is the credential's date, region and service.
    ///
    /// # Errors
    /// If nobody has the key, the session token has expired, or the signature is not the key's.
    pub fn signer_of_policy(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        scope: [&str; 3],
        policy: &str,
        signature: &str,
    ) -> Result<Principal, Refusal> {
        self.signer(access_key_id, session_token, |secret| {
            sigv4::verify_policy(policy, signature, scope, secret)
        })
    }

    /// The same for a policy that is signed in version 2, as SDKs still do unless they are told otherwise: the fields are
    /// `AWSAccessKeyId`, `policy` and `signature`.
    ///
    /// # Errors
    /// As of [`Keys::signer_of_policy`].
    pub fn signer_of_policy_in_version_2(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        policy: &str,
        signature: &str,
    ) -> Result<Principal, Refusal> {
        self.signer(access_key_id, session_token, |secret| sigv2::verify_policy(policy, signature, secret))
    }

    /// Whether callers must prove who they are.
    pub fn are_required(&self) -> bool {
        self.0.mode() == Mode::Required
    }

    fn signer(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        holds: impl FnOnce(&str) -> bool,
    ) -> Result<Principal, Refusal> {
        match (self.0.lookup(access_key_id, session_token), self.0.mode()) {
            (Ok(identity), Mode::Open) => Ok(identity.principal),
            (Ok(identity), Mode::Required) if holds(&identity.secret_access_key) => Ok(identity.principal),
            (Ok(_), Mode::Required) => Err(Refusal::Mismatch),
            (Err(LookupError::Expired), _) => Err(Refusal::ExpiredToken),
            (Err(LookupError::Unknown), Mode::Open) => Ok(root_of(Some(access_key_id))),
            (Err(LookupError::Unknown), Mode::Required) => Err(Refusal::UnknownKey),
        }
    }
}
