//! What AWS calls each mistake. Codes are the ones that clients match on; the model knows their statuses.

use tracing::error;
use wire::Error;

/// Why a transaction was given up: the caller's mistake, or the store's failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the caller is told.
    Refused(Error),
    /// What only the log is told.
    Store(store::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Store(cause) => {
                error!(%cause, "IAM could not read or write its records");
                Self::new("ServiceFailure", "The request could not be completed. The server's log says why.")
            }
        }
    }
}

pub(crate) fn no_such_entity(message: impl Into<String>) -> Error {
    Error::new("NoSuchEntity", message)
}

pub(crate) fn no_such_policy(arn: &str) -> Error {
    no_such_entity(format!("Policy {arn} was not found."))
}

pub(crate) fn not_attachable(arn: &str) -> Error {
    no_such_entity(format!("Policy {arn} does not exist or is not attachable."))
}

pub(crate) fn already_exists(message: impl Into<String>) -> Error {
    Error::new("EntityAlreadyExists", message)
}

pub(crate) fn delete_conflict(message: impl Into<String>) -> Error {
    Error::new("DeleteConflict", message)
}

pub(crate) fn limit_exceeded(message: impl Into<String>) -> Error {
    Error::new("LimitExceeded", message)
}

pub(crate) fn quota_exceeded(quota: &str, value: usize) -> Error {
    limit_exceeded(format!("Cannot exceed quota for {quota}: {value}"))
}

pub(crate) fn malformed_policy(message: impl Into<String>) -> Error {
    Error::new("MalformedPolicyDocument", message)
}

pub(crate) fn invalid_input(message: impl Into<String>) -> Error {
    Error::new("InvalidInput", message)
}

pub(crate) fn validation_error(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}
