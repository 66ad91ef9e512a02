//! What AWS calls each mistake. Codes are the ones that clients match on; the model knows their statuses.

use wire::Error;

/// A value that is not allowed. AWS begins each of these texts in the same way.
pub(crate) fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new("InvalidParameter", format!("Invalid parameter: {what}"))
}

/// A message attribute that is not allowed.
pub(crate) fn invalid_value(message: impl Into<String>) -> Error {
    Error::new("ParameterValueInvalid", message)
}

/// Something Hearth does not do: refused, so that nobody believes it was done.
pub(crate) fn not_supported(what: &str) -> Error {
    invalid(format_args!("Hearth does not support {what}. Leave it out, or see docs/compatibility.md."))
}

pub(crate) fn topic_not_found() -> Error {
    Error::new("NotFound", "Topic does not exist")
}

pub(crate) fn subscription_not_found() -> Error {
    Error::new("NotFound", "Subscription does not exist")
}

/// The topic's policy, or the lack of one, keeps the caller out.
pub(crate) fn not_authorized(principal: &str, action: &str, resource: &str) -> Error {
    Error::new(
        "AuthorizationError",
        format!(
            "User: {principal} is not authorized to perform: {action} on resource: {resource} because no \
             resource-based policy allows the {action} action"
        ),
    )
}

/// Hearth's own fault.
pub(crate) fn service(cause: impl std::fmt::Display) -> Error {
    tracing::error!(%cause, "sns operation failed");
    Error::new("InternalError", "The request could not be completed. The server's log says why.")
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
