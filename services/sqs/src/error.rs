//! What AWS calls each mistake, and what it says. Names are those of the JSON protocol; the query protocol's come from
//! `models/services.toml`.

use wire::Error;

/// There is no such queue.
pub fn queue_does_not_exist() -> Error {
    Error::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// A queue was deleted less than a minute ago, and its name is not free yet.
pub fn queue_deleted_recently() -> Error {
    Error::new(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )
}

/// The name belongs to a queue that differs in an attribute.
pub fn queue_name_exists(attribute: &str) -> Error {
    Error::new(
        "QueueNameExists",
        format!("A queue already exists with the same name and a different value for attribute {attribute}"),
    )
}

/// The text is no URL of a queue here.
pub fn invalid_address(address: &str) -> Error {
    Error::new("InvalidAddress", format!("The address {address} is not valid for this endpoint."))
}

/// A parameter that is well-formed but not allowed, in words of its own.
pub fn invalid_parameter(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterValueException", message)
}

/// A parameter whose value is not allowed.
pub fn invalid_value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Error {
    invalid_parameter(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

/// A parameter that is not there.
pub fn missing(parameter: &str) -> Error {
    Error::new(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {parameter}."),
    )
}

/// No attribute of a queue is called so, or none of this kind of queue.
pub fn unknown_attribute(name: &str) -> Error {
    Error::new("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

/// An attribute's value is not allowed.
pub fn invalid_attribute_value(name: &str) -> Error {
    Error::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

/// The text is no receipt handle of this queue's.
pub fn receipt_handle_is_invalid(handle: &str) -> Error {
    Error::new(
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

/// The queue is somebody else's, and its policy does not let the caller in.
pub fn access_denied(url: &str) -> Error {
    Error::new("AccessDenied", format!("Access to the resource {url} is denied.")).with_status(403)
}

/// A resource named by its ARN is not there.
pub fn resource_not_found(message: impl Into<String>) -> Error {
    Error::new("ResourceNotFoundException", message).with_status(404)
}

/// Hearth's own fault, or the disk's.
pub fn service(cause: impl std::fmt::Display) -> Error {
    tracing::error!(%cause, "sqs operation failed");
    Error::new("InternalFailure", "The request could not be completed. The server's log has the cause.")
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
        match error {
            store::Error::Full(_) => Self(
                Error::new("ServiceUnavailable", format!("The message was not accepted: {error}."))
                    .with_status(503),
            ),
            error => Self(service(error)),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}
