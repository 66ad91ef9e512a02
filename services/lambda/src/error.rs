//! What AWS calls each mistake.  Statuses and the message key's case come from the model.

use domain::{FunctionName, Principal, Qualifier, Scope};
use uuid::Uuid;
use wire::Error;

use crate::aliases::alias_arn;
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

/// Why an invocation did not happen: the function would have called itself for ever.
pub const RECURSIVE_LOOP: &str = "The function was not invoked: it is part of a recursive loop, which Lambda ends \
                                  after 16 invocations. PutFunctionRecursionConfig allows such loops.";

/// The function calls itself, directly or not.
pub fn recursive_loop() -> Error {
    Error::new("RecursiveInvocationException", RECURSIVE_LOOP)
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

/// No such alias. Only the operations on aliases say it so.
pub fn no_such_alias(scope: &Scope, function: &FunctionName, alias: &str) -> Error {
    Error::new(
        "ResourceNotFoundException",
        format!("Cannot find alias arn: {}", alias_arn(scope, function, alias)),
    )
}

/// What is asked for does not go with what is there.
pub fn conflict(message: impl Into<String>) -> Error {
    Error::new("ResourceConflictException", message.into())
}

/// The alias's name is taken.
pub fn alias_exists(arn: &str) -> Error {
    Error::new("ResourceConflictException", format!("Alias already exists: {arn}"))
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

/// A caller may not do something; `why` says which policies say so.
pub fn access_denied(caller: &Principal, action: &str, arn: &str, why: &str) -> Error {
    let caller = caller.arn();
    Error::new(
        "AccessDeniedException",
        format!("User: {caller} is not authorized to perform: {action} on resource: {arn} {why}"),
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

impl Refusal {
    /// Whether it is an error of this code.
    pub fn is(&self, code: &str) -> bool {
        self.0.code == code
    }
}

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
