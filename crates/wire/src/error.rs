//! What a caller is told when an operation fails.

use std::borrow::Cow;

use crate::schema::Service;
use crate::value::{Fields, Value};

/// A failure, by the code that AWS gives it. The model knows its status and how its message is spelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// `ResourceNotFoundException`
    pub code: Cow<'static, str>,
    /// What the caller reads.
    pub message: String,
    /// The HTTP status, where the model does not say it.
    pub status: Option<u16>,
    /// The error shape's other members, by the model's names: `Reason`, `retryAfterSeconds`.
    pub fields: Box<Fields>,
}

impl Error {
    /// An error of the service's model, or one of the common ones.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: None, fields: Box::default() }
    }

    /// The same error with a status that the model does not know.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same error with one more member of its shape.
    pub fn with_field(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.set(name, value.into());
        self
    }

    /// Hearth's own fault. The cause belongs in the log, not in the message.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message)
    }

    /// The HTTP status, by the service's model or by custom.
    pub fn status(&self, service: &Service) -> u16 {
        self.status
            .or_else(|| service.error(&self.code).map(|shape| shape.status))
            .or_else(|| common_status(&self.code))
            .unwrap_or(400)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

/// Statuses of the errors that every service gives and no model holds; 400 for the rest.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
fn common_status(code: &str) -> Option<u16> {
    Some(match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => 403,
        "UnknownOperationException" => 404,
        "RequestEntityTooLargeException" => 413,
        "InternalFailure" | "InternalServerError" | "InternalServerException" | "ServiceException" => 500,
        "NotImplemented" => 501,
        "ServiceUnavailable" | "ServiceUnavailableException" => 503,
        _ => return None,
    })
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
