//! What AWS calls each mistake.  Statuses and the message key's case come from the model.

use domain::{FunctionName, Qualifier, Scope};
use uuid::Uuid;
use wire::Error;

use crate::record::{FunctionRecord, State, UpdateStatus, arn};

/// A value that is well-formed but not allowed.
pub fn invalid_parameter(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterValueException", message)
}

/// Something Hearth does not do yet: refused, so that nobody believes it was done.
pub fn not_supported(what: &str) -> Error {
    invalid_parameter(format!(
        "Hearth does not support {what} yet. Leave it out, or see docs/compatibility.md."
    ))
}

/// A constraint of the model's kind that the model itself does not hold.
pub fn constraint(value: impl std::fmt::Display, member: &str, constraint: impl std::fmt::Display) -> Error {
    Error::new("ValidationException", constraint_message(value, member, constraint))
}

/// AWS's wording for a broken constraint.
pub fn constraint_message(
    value: impl std::fmt::Display,
    member: &str,
    constraint: impl std::fmt::Display,
) -> String {
    format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )
}

/// No such function, or no such version of it.
pub fn function_not_found(scope: &Scope, name: &FunctionName, qualifier: Option<&Qualifier>) -> Error {
    let arn = arn(scope, name);
    Error::new(
        "ResourceNotFoundException",
        match qualifier {
            Some(qualifier) => format!("Function not found: {arn}:{qualifier}"),
            None => format!("Function not found: {arn}"),
        },
    )
}

/// The name is taken.
pub fn function_exists(name: &FunctionName) -> Error {
    Error::new("ResourceConflictException", format!("Function already exist: {name}"))
}

/// A create is not in effect yet.
pub fn pending(arn: &str) -> Error {
    Error::new(
        "ResourceConflictException",
        format!(
            "The operation cannot be performed at this time. The function is currently in the following state: \
             Pending ({arn})"
        ),
    )
}

/// An update is not in effect yet.
pub fn update_in_progress(arn: &str) -> Error {
    Error::new(
        "ResourceConflictException",
        format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        ),
    )
}

/// The caller's `RevisionId` is stale.
pub fn revision_mismatch() -> Error {
    Error::new(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
         retrieve the latest Revision Id",
    )
}

/// Hearth's own fault.
pub fn service(cause: impl std::fmt::Display) -> Error {
    tracing::error!(%cause, "lambda operation failed");
    Error::new("ServiceException", "An internal error occurred. The server's log has the cause.")
}

/// Whether a function may be changed now, by a caller who saw this revision of it.
pub fn check_can_change(record: &FunctionRecord, revision_id: Option<&str>) -> Result<(), Error> {
    if record.state == State::Pending {
        return Err(pending(&record.arn()));
    }
    if record.last_update == Some(UpdateStatus::InProgress) {
        return Err(update_in_progress(&record.arn()));
    }
    match revision_id.filter(|id| !id.is_empty()) {
        Some(id) if id.parse::<Uuid>().ok() != Some(record.revision_id) => Err(revision_mismatch()),
        _ => Ok(()),
    }
}

/// An error inside a transaction: the service's own, or the store's.
#[derive(Debug)]
pub struct Refusal(Error);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

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
