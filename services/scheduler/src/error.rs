//! What AWS calls each mistake. Statuses come from the model.

use wire::Error;

/// A value that is not allowed.
pub(crate) fn validation(message: impl Into<String>) -> Error {
    Error::new("ValidationException", message)
}

/// Something Hearth does not do: refused, so that nobody believes it was done.
pub(crate) fn not_supported(what: &str) -> Error {
    validation(format!("Hearth does not support {what} yet. Leave it out, or see docs/compatibility.md."))
}

pub(crate) fn conflict(message: impl Into<String>) -> Error {
    Error::new("ConflictException", message)
}

pub(crate) fn no_schedule(name: &str) -> Error {
    Error::new("ResourceNotFoundException", format!("Schedule {name} does not exist."))
}

pub(crate) fn no_group(name: &str) -> Error {
    Error::new("ResourceNotFoundException", format!("Schedule group {name} does not exist."))
}

/// Hearth's own fault.
pub(crate) fn service(cause: impl std::fmt::Display) -> Error {
    tracing::error!(%cause, "scheduler operation failed");
    Error::new("InternalServerException", "The request could not be completed. The server's log says why.")
}

/// An error inside a transaction: the service's own, or the store's.
#[derive(Debug)]
pub(crate) struct Refusal(Error);

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
