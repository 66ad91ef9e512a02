//! Who is calling, and the keys a function is given to call with.

use serde::{Deserialize, Serialize};

use crate::{Account, Timestamp};

/// Short-lived credentials, as a function's environment or `AssumeRole` gets them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ASIA…`
    pub access_key_id: String,
    /// The signing key.
    pub secret_access_key: String,
    /// Names the role and the expiry, and proves that Hearth issued it.
    pub session_token: String,
    /// After this moment the token is refused.
    pub expiration: Timestamp,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret and the token must not reach a log.
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The identity behind a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// Whoever holds the account: root credentials, or any credentials while none are configured.
    Root(Account),
    /// An IAM user.
    User {
        /// The owner.
        account: Account,
        /// The user's name.
        name: String,
        /// `AIDA…`
        id: String,
        /// The user's path, `/` by default.
        path: String,
    },
    /// A session of a role: a function, or a caller of `AssumeRole`.
    AssumedRole {
        /// The owner.
        account: Account,
        /// The role's name, without its path.
        role: String,
        /// `AROA…`
        role_id: String,
        /// The function's name, or the caller's choice.
        session: String,
        /// The function, by its ARN, in whose environment the session is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_function: Option<String>,
    },
}

impl Principal {
    /// The account whose resources the request is about.
    pub fn account(&self) -> &Account {
        match self {
            Self::Root(account) | Self::User { account, .. } | Self::AssumedRole { account, .. } => account,
        }
    }

    /// The ARN that `GetCallerIdentity` and refusals name.
    pub fn arn(&self) -> String {
        match self {
            Self::Root(account) => format!("arn:aws:iam::{account}:root"),
            Self::User { account, name, path, .. } => format!("arn:aws:iam::{account}:user{path}{name}"),
            Self::AssumedRole { account, role, session, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
        }
    }
}
