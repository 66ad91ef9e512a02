//! Requests of extensions, from HTTP to a call and back.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{ExtensionCall, ExtensionEvent, Refused, Registered, Registration};
use crate::telemetry::{Api, Subscription};

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const EVENT_IDENTIFIER: &str = "lambda-extension-event-identifier";
const FEATURES: &str = "lambda-extension-accept-feature";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
/// What extensions send is small; an error's description is the longest.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A call by method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Register,
    Next,
    InitError,
    ExitError,
    Subscribe(Api),
}

impl Route {
    /// The call that a path means and its method, if it means one.
    pub(crate) fn of(path: &str) -> Option<(Self, Method)> {
        Some(match path.strip_suffix('/').unwrap_or(path) {
            "/2020-01-01/extension/register" => (Self::Register, Method::POST),
            "/2020-01-01/extension/event/next" => (Self::Next, Method::GET),
            "/2020-01-01/extension/init/error" => (Self::InitError, Method::POST),
            "/2020-01-01/extension/exit/error" => (Self::ExitError, Method::POST),
            "/2022-07-01/telemetry" => (Self::Subscribe(Api::Telemetry), Method::PUT),
            "/2020-08-15/logs" => (Self::Subscribe(Api::Logs), Method::PUT),
            _ => return None,
        })
    }
}

/// An answer: a status, a header and a body of JSON.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) header: Option<(&'static str, Uuid)>,
    pub(crate) body: Bytes,
}

impl Answered {
    fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, header: None, body: body.into() }
    }

    fn with(self, name: &'static str, value: Uuid) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl From<Refused> for Answered {
    fn from(refused: Refused) -> Self {
        let body = serde_json::json!({ "errorMessage": refused.message, "errorType": refused.error_type });
        Self::new(refused.status, format!("{body}\n"))
    }
}

/// Reads the request, has the environment decide through `call`, and gives the answer.
pub(crate) async fn answer(
    route: Route,
    request: Request<Incoming>,
    call: impl AsyncFnOnce(ExtensionCall) -> bool,
) -> Answered {
    decide(route, request, call).await.unwrap_or_else(Answered::from)
}

async fn decide(
    route: Route,
    request: Request<Incoming>,
    call: impl AsyncFnOnce(ExtensionCall) -> bool,
) -> Result<Answered, Refused> {
    let (head, body) = request.into_parts();
    match route {
        Route::Register => {
            let body = read(body).await?;
            let (name, features) = (text(&head.headers, NAME), text(&head.headers, FEATURES));
            let registration = Registration::parse(name, features, &body)?;
            let (reply, decision) = oneshot::channel();
            let sent = call(ExtensionCall::Register { registration, reply }).await;
            let Registered { identifier, body } = decided(sent, decision).await?;
            Ok(Answered::new(StatusCode::OK, body).with(IDENTIFIER, identifier))
        }
        Route::Next => {
            let identifier = identifier(&head.headers)?;
            let (reply, decision) = oneshot::channel();
            let sent = call(ExtensionCall::Next { identifier, reply }).await;
            let ExtensionEvent(body) = decided(sent, decision).await?;
            Ok(Answered::new(StatusCode::OK, body).with(EVENT_IDENTIFIER, Uuid::new_v4()))
        }
        Route::InitError | Route::ExitError => {
            let identifier = identifier(&head.headers)?;
            let error_type = text(&head.headers, ERROR_TYPE).filter(|kind| !kind.is_empty());
            let missing = || Refused::forbidden("Extension.MissingHeader", format!("{ERROR_TYPE} not found"));
            let error_type = error_type.ok_or_else(missing)?.to_owned();
            read(body).await?;
            let (reply, decision) = oneshot::channel();
            let in_init = route == Route::InitError;
            let sent = call(ExtensionCall::Failed { identifier, in_init, error_type, reply }).await;
            decided(sent, decision).await?;
            Ok(Answered::new(StatusCode::ACCEPTED, &b"{\"status\":\"OK\"}\n"[..]))
        }
        Route::Subscribe(api) => {
            let identifier = identifier(&head.headers)?;
            let subscription = Subscription::parse(api, &read(body).await?).map_err(Refused::subscription)?;
            let (reply, decision) = oneshot::channel();
            let sent = call(ExtensionCall::Subscribe { identifier, subscription, reply }).await;
            decided(sent, decision).await?;
            Ok(Answered::new(StatusCode::OK, &b"\"OK\""[..]))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn identifier(headers: &HeaderMap) -> Result<Uuid, Refused> {
    let missing = || {
        Refused::forbidden(
            "Extension.MissingExtensionIdentifier",
            "Missing Lambda-Extension-Identifier header",
        )
    };
    let invalid =
        || Refused::forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
    let identifier = text(headers, IDENTIFIER).filter(|identifier| !identifier.is_empty());
    Uuid::parse_str(identifier.ok_or_else(missing)?).map_err(|_| invalid())
}

async fn read(body: Incoming) -> Result<Bytes, Refused> {
    let read = crate::runtime_api::read_body(body, BODY_BYTES_MAX).await;
    let read = read.ok_or_else(|| Refused::invalid_request("HTTP request detected as truncated"))?;
    read.ok_or_else(|| Refused::invalid_request("the body is too large"))
}

async fn decided<T>(sent: bool, decision: oneshot::Receiver<Result<T, Refused>>) -> Result<T, Refused> {
    match decision.await {
        Ok(decision) if sent => decision,
        _ => Err(Refused::gone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_method_and_path() {
        let check = |path, expected: Option<(Route, Method)>| assert_eq!(Route::of(path), expected, "{path}");
        check("/2020-01-01/extension/register", Some((Route::Register, Method::POST)));
        check("/2020-01-01/extension/event/next", Some((Route::Next, Method::GET)));
        check("/2022-07-01/telemetry/", Some((Route::Subscribe(Api::Telemetry), Method::PUT)));
        check("/2020-08-15/logs", Some((Route::Subscribe(Api::Logs), Method::PUT)));
        check("/2020-01-01/extension/event/previous", None);
        check("/2018-06-01/runtime/invocation/next", None);
    }
}
