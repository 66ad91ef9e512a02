//! Who holds which keys: the operator, IAM's users, and sessions that Hearth itself issued.

use std::sync::Arc;

use domain::{Account, Clock, Principal};
use iam::Iam;
use wire::gateway::{Authenticator, Identity, LookupError, Mode};

use crate::config::{Auth, RootCredentials};

/// Answers from memory and by arithmetic: it is asked on every request.
pub struct Keyring {
    pub root: Option<RootCredentials>,
    pub iam: Iam,
    pub clock: Arc<dyn Clock>,
}

impl Keyring {
    /// The keys that an operator's choice leaves valid.
    pub fn new(auth: &Auth, iam: Iam, clock: Arc<dyn Clock>) -> Self {
        let root = match auth {
            Auth::Open => None,
            Auth::Required(root) => Some(root.clone()),
        };
        Self { root, iam, clock }
    }
}

impl Authenticator for Keyring {
    fn mode(&self) -> Mode {
        if self.root.is_some() { Mode::Required } else { Mode::Open }
    }

    fn lookup(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Identity, LookupError> {
        if let Some(token) = session_token {
            let verified = self.iam.sessions().verify(access_key_id, token, self.clock.now());
            return match verified {
                Ok((secret_access_key, principal)) => Ok(Identity { secret_access_key, principal }),
                Err(iam::SessionError::Expired) => Err(LookupError::Expired),
                Err(iam::SessionError::Invalid) => Err(LookupError::Unknown),
            };
        }
        if let Some(root) = self.root.as_ref().filter(|root| root.access_key_id == access_key_id) {
            let principal = Principal::Root(Account::default());
            return Ok(Identity { secret_access_key: root.secret_access_key.clone(), principal });
        }
        let found = self.iam.access_key(access_key_id);
        let (secret_access_key, principal) = found.ok_or(LookupError::Unknown)?;
        Ok(Identity { secret_access_key, principal })
    }
}
