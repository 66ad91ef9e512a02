//! What AWS calls each mistake. Statuses come from the model.

use wire::Error;

/// A value that is well-formed but not allowed.
pub fn invalid_parameter(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterException", message)
}

/// Something Hearth does not do yet: refused, so that nobody believes it was done.
pub fn not_supported(what: &str) -> Error {
    invalid_parameter(format!(
        "Hearth does not support {what} yet. Leave it out, or see docs/compatibility.md."
    ))
}

/// No such group.
pub fn group_not_found() -> Error {
    Error::new("ResourceNotFoundException", "The specified log group does not exist.")
}

/// No such stream in the group.
pub fn stream_not_found() -> Error {
    Error::new("ResourceNotFoundException", "The specified log stream does not exist.")
}

/// The group's name is taken.
pub fn group_exists() -> Error {
    Error::new("ResourceAlreadyExistsException", "The specified log group already exists")
}

/// The stream's name is taken.
pub fn stream_exists() -> Error {
    Error::new("ResourceAlreadyExistsException", "The specified log stream already exists")
}

/// A token that no page of ours gave.
pub fn invalid_token() -> Error {
    invalid_parameter("The specified nextToken is invalid.")
}

/// Hearth's own fault.
pub fn service(cause: impl std::fmt::Display) -> Error {
    tracing::error!(%cause, "logs operation failed");
    Error::new(
        "ServiceUnavailableException",
        "The service cannot complete the request. The server's log has the cause.",
    )
}

/// An error inside a transaction: the service's own, or the store's.
#[derive(Debug)]
pub struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self(service(error))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}
