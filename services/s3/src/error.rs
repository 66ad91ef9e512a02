//! What S3 calls each mistake. Codes and statuses are those of its error reference:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use s3s::{S3Error, S3ErrorCode};
use wire::gateway::InflowError;

use crate::forms::Broken;

/// A refusal on its way to the client.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) S3Error);

/// Carries an element of an error's document from who refuses to [`crate::front`].
pub(crate) const DETAIL: &str = "x-hearth-detail";

impl Refusal {
    /// The same, with another element in its document, such as `Key`.
    #[must_use]
    pub(crate) fn with(self, element: &str, text: &str) -> Self {
        let Self(mut error) = self;
        let mut headers = error.headers().cloned().unwrap_or_default();
        let escaped = wire::gateway::escaped_for_xml(text);
        if let Ok(detail) =
            http::HeaderValue::from_bytes(format!("<{element}>{escaped}</{element}>").as_bytes())
        {
            headers.append(DETAIL, detail);
        }
        error.set_headers(headers);
        Self(error)
    }
}

impl Refusal {
    /// Whether it is Hearth that failed.
    pub(crate) fn is_ours(&self) -> bool {
        let status = self.0.status_code().unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        status.is_server_error() && status != http::StatusCode::NOT_IMPLEMENTED
    }

    /// The same, with another header in its answer.
    #[must_use]
    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        let Self(mut error) = self;
        let mut headers = error.headers().cloned().unwrap_or_default();
        if let Ok(value) = http::HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
        error.set_headers(headers);
        Self(error)
    }
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl From<S3Error> for Refusal {
    fn from(error: S3Error) -> Self {
        Self(error)
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            store::Error::Full(_) => disk_full(),
            _ => internal(),
        }
    }
}

impl From<deliveries::AcceptError> for Refusal {
    fn from(error: deliveries::AcceptError) -> Self {
        tracing::error!(%error, "an event was not accepted");
        match error {
            deliveries::AcceptError::Full { .. } => slow_down(),
            deliveries::AcceptError::Store(error) => error.into(),
        }
    }
}

/// A refusal with S3's code and words.
pub(crate) fn refuse(code: S3ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal(S3Error::with_message(code, message))
}

/// Hearth's own fault; the log says why.
pub(crate) fn internal() -> Refusal {
    refuse(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

pub(crate) fn slow_down() -> Refusal {
    refuse(S3ErrorCode::SlowDown, "Please reduce your request rate.")
}

/// The disk that holds the objects is full. No status that clients would try again on: it will not get better soon.
pub(crate) fn disk_full() -> Refusal {
    custom(
        "InsufficientStorage",
        http::StatusCode::INSUFFICIENT_STORAGE,
        "The disk that holds Hearth's data is full. Nothing was stored; free some space and try again.",
    )
}

/// A refusal with a code that `s3s` does not know.
pub(crate) fn custom(
    code: impl Into<std::borrow::Cow<'static, str>>,
    status: http::StatusCode,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> Refusal {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into().into_owned().into()), message);
    error.set_status_code(status);
    Refusal(error)
}

/// The client broke off, or what it sent is not what it announced.
pub(crate) fn body_broke(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Refusal {
    tracing::debug!(%cause, "a body broke off");
    match (cause.downcast_ref::<InflowError>(), cause.downcast_ref::<Broken>()) {
        (Some(error), _) => error.refusal().into(),
        (None, Some(form)) => form.refusal(),
        (None, None) => refuse(S3ErrorCode::IncompleteBody, "The request body terminated unexpectedly"),
    }
}

/// What the gateway refuses, it refuses in S3's words.
impl From<wire::Error> for Refusal {
    fn from(error: wire::Error) -> Self {
        let status = error.status.and_then(|status| http::StatusCode::from_u16(status).ok());
        let refusal = custom(error.code, status.unwrap_or(http::StatusCode::BAD_REQUEST), error.message);
        error.fields.iter().fold(refusal, |refusal, (name, value)| match value {
            wire::Value::String(text) => refusal.with(name, text),
            _ => refusal,
        })
    }
}

/// A configuration that a bucket does not have.
pub(crate) fn not_found(code: &'static str, message: &'static str, bucket: &str) -> Refusal {
    custom(code, http::StatusCode::NOT_FOUND, message).with("BucketName", bucket)
}

pub(crate) fn malformed_xml() -> Refusal {
    refuse(
        S3ErrorCode::MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

pub(crate) fn entity_too_large() -> Refusal {
    refuse(S3ErrorCode::EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
}

pub(crate) fn no_such_bucket(name: &str) -> Refusal {
    refuse(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist").with("BucketName", name)
}

pub(crate) fn no_such_key(key: &str) -> Refusal {
    refuse(S3ErrorCode::NoSuchKey, "The specified key does not exist.").with("Key", key)
}

pub(crate) fn no_such_version() -> Refusal {
    refuse(S3ErrorCode::NoSuchVersion, "The specified version does not exist.")
}

pub(crate) fn access_denied() -> Refusal {
    refuse(S3ErrorCode::AccessDenied, "Access Denied")
}

/// A refusal that says what is missing, as S3 tells callers of the bucket's own account.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html>
pub(crate) fn denied(who: &str, action: &str, resource: &str, why: &str) -> Refusal {
    refuse(
        S3ErrorCode::AccessDenied,
        format!("User: {who} is not authorized to perform: {action} on resource: \"{resource}\" {why}"),
    )
}

pub(crate) fn invalid_argument(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    refuse(S3ErrorCode::InvalidArgument, message)
}

pub(crate) fn invalid_request(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    refuse(S3ErrorCode::InvalidRequest, message)
}

/// Something Hearth does not do: refused by name, so that nobody believes it was done.
pub(crate) fn not_implemented(what: &str) -> Refusal {
    refuse(
        S3ErrorCode::NotImplemented,
        format!("Hearth does not support {what}. Leave it out, or see docs/compatibility.md."),
    )
}
