//! STS: who the caller is, and credentials that last for a while.
//!
//! It has no records of its own: roles are IAM's, and session credentials are verified without being stored.

mod access_key_info;
mod assume_role;
mod caller_identity;
mod error;
mod session_token;
pub mod shapes;

#[cfg(test)]
mod testing;

use std::sync::Arc;

use domain::{Clock, Credentials, Timestamp};
use iam::Iam;
use wire::Service;

/// The service. A cheap handle.
#[derive(Clone)]
pub struct Sts {
    iam: Iam,
    clock: Arc<dyn Clock>,
}

impl Sts {
    /// Roles, users and the minting of credentials are IAM's.
    pub fn new(iam: Iam, clock: Arc<dyn Clock>) -> Self {
        Self { iam, clock }
    }

    /// In whole seconds, as expirations are.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp(now.0 - now.0.rem_euclid(1_000))
    }
}

/// The service's operations.
pub fn service(sts: Sts) -> Service {
    Service::new(&shapes::SERVICE, sts)
        .on::<shapes::GetCallerIdentity>(caller_identity::get_caller_identity)
        .on::<shapes::AssumeRole>(assume_role::assume_role)
        .on::<shapes::GetSessionToken>(session_token::get_session_token)
        .on::<shapes::GetAccessKeyInfo>(access_key_info::get_access_key_info)
        .build()
}

fn shown(credentials: Credentials) -> shapes::Credentials {
    let Credentials { access_key_id, secret_access_key, session_token, expiration } = credentials;
    shapes::Credentials { access_key_id, secret_access_key, session_token, expiration }
}
