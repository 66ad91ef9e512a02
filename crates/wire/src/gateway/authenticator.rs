//! Who holds which keys, as the server tells the gateway.

use domain::{Account, Principal};

/// Whether requests must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No credentials are configured: any signature is accepted, or none.
    Open,
    /// Every request must verify.
    Required,
}

/// Whose an access key is.
pub struct Identity {
    /// What the request must have been signed with.
    pub secret_access_key: String,
    /// Who signed.
    pub principal: Principal,
}

/// Why keys have no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// Nobody has this key, it is inactive, or the session token is not one of ours.
    Unknown,
    /// The session token has expired. Refused in either mode.
    Expired,
}

/// Looks up keys. Called on every request: it must answer from memory.
pub trait Authenticator: Send + Sync + 'static {
    /// Whether requests must prove who they are.
    fn mode(&self) -> Mode;

    /// Whose this access key is, with the session token that came along.
    fn lookup(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Identity, LookupError>;
}

/// Knows no keys and lets everybody in.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenToAll;

impl Authenticator for OpenToAll {
    fn mode(&self) -> Mode {
        Mode::Open
    }

    fn lookup(&self, _: &str, _: Option<&str>) -> Result<Identity, LookupError> {
        Err(LookupError::Unknown)
    }
}

/// Who an unknown key belongs to while no credentials are configured: the account that its id spells, or the
/// default one.
pub(super) fn root_of(access_key_id: Option<&str>) -> Principal {
    Principal::Root(access_key_id.and_then(Account::parse).unwrap_or_default())
}
