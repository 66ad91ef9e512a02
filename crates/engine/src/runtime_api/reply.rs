//! AWS's answers to a runtime: statuses, headers and `{"errorMessage","errorType"}`.

use bytes::Bytes;
use domain::{Credentials, limits};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::sync::oneshot;

use super::{Event, Reply};
use crate::environment::Refusal;
use crate::extensions::Answered;

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const INVOKED_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const COGNITO_IDENTITY: HeaderName = HeaderName::from_static("lambda-runtime-cognito-identity");
const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The event, and what the runtime makes its context object of.
pub(super) fn event(event: Event) -> Reply {
    let mut reply = reply(StatusCode::OK, event.payload);
    let headers = reply.headers_mut();
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = event.request_id.hyphenated().encode_lower(&mut id);
    let mut set = |name, text: &str| {
        if !text.is_empty()
            && let Ok(value) = header_value(text)
        {
            headers.insert(name, value);
        }
    };
    set(REQUEST_ID, id);
    set(INVOKED_ARN, &event.invoked_arn);
    set(TRACE_ID, &event.trace_id);
    set(CLIENT_CONTEXT, event.client_context.as_deref().unwrap_or_default());
    set(COGNITO_IDENTITY, event.cognito_identity.as_deref().unwrap_or_default());
    set(TENANT_ID, event.tenant_id.as_deref().unwrap_or_default());
    headers.insert(DEADLINE_MS, HeaderValue::from(event.deadline_epoch_ms));
    reply
}

/// Line breaks cannot stand in a header. In JSON, and nothing else here has any, they mean as much as a space.
fn header_value(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::from_bytes(text.as_bytes())
        .or_else(|_| HeaderValue::from_maybe_shared(Bytes::from(text.replace(char::is_control, " "))))
}

/// What the environment decided about a post.
pub(super) async fn decided(sent: bool, decision: oneshot::Receiver<Result<(), Refusal>>) -> Reply {
    match decision.await {
        Ok(Ok(())) if sent => reply(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n")),
        Ok(Err(refusal)) => refused(refusal),
        _ => gone(),
    }
}

/// The runtime goes on where it was set aside.
pub(super) async fn restored(sent: bool, decision: oneshot::Receiver<Result<(), Refusal>>) -> Reply {
    match decision.await {
        Ok(Ok(())) if sent => reply(StatusCode::OK, Bytes::new()),
        Ok(Err(refusal)) => refused(refusal),
        _ => gone(),
    }
}

/// A role's credentials, in the form that SDKs know.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
pub(super) fn credentials(credentials: &Credentials) -> Reply {
    let expiration = jiff::Timestamp::from_millisecond(credentials.expiration.epoch_ms());
    let body = json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": format!("{:.0}", expiration.unwrap_or_default()),
    });
    reply(StatusCode::OK, Bytes::from(body.to_string()))
}

/// Who has no token gets none, nor does who needs none.
pub(super) fn no_credentials() -> Reply {
    error(StatusCode::NOT_FOUND, "NotFound", "There are no credentials for this token")
}

/// The call may not be made now.
pub(super) fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::InvalidRequestId => error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Refusal::InvalidStateTransition { from, to } => error(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            &format!(
                "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
            ),
        ),
        Refusal::TooLarge => too_large(limits::SYNC_RESPONSE_BYTES),
        Refusal::InvalidMode => {
            error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")
        }
        // Of extensions, which are answered elsewhere.
        Refusal::InvalidExtensionState { .. } | Refusal::RegistrationClosed | Refusal::SubscriptionClosed => {
            gone()
        }
    }
}

/// The response is larger than a response of its kind may be.
pub(super) fn too_large(bytes_max: usize) -> Reply {
    error(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({bytes_max} bytes)."),
    )
}

/// The body ended too early.
pub(super) fn truncated() -> Reply {
    error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
}

/// The environment is going away: the runtime is to exit.
pub(super) fn gone() -> Reply {
    error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
}

/// What an extension gets.
pub(super) fn extension(answered: Answered) -> Reply {
    let mut reply = reply(answered.status, answered.body);
    if let Some((name, value)) = answered.header {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = value.hyphenated().encode_lower(&mut text);
        reply
            .headers_mut()
            .extend(HeaderValue::from_str(text).map(|value| (HeaderName::from_static(name), value)));
    }
    reply
}

/// The undocumented health check.
pub(super) fn pong() -> Reply {
    let mut reply = reply(StatusCode::OK, Bytes::from_static(b"pong"));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// The path exists, the method does not.
pub(super) fn wrong_method() -> Reply {
    error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The method is not allowed for this path")
}

/// There is no such call.
pub(super) fn unknown() -> Reply {
    error(StatusCode::NOT_FOUND, "NotFound", "There is no such call in this version of the Runtime API")
}

fn error(status: StatusCode, error_type: &str, message: &str) -> Reply {
    let body = json!({ "errorMessage": message, "errorType": error_type });
    reply(status, Bytes::from(format!("{body}\n")))
}

fn reply(status: StatusCode, body: Bytes) -> Reply {
    let length = body.len();
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    reply
}
