//! Answers who calls a URL: finds it, checks who calls, runs the function, and says what came of it.

use std::sync::Arc;
use std::time::Instant;

use domain::{Timestamp, Version};
use engine::{Invocation, InvokeError};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;
use wire::Response;
use wire::gateway::{Identified, Visit};

use super::address::{Address, Named, named};
use super::authorise::{Denied, authorise};
use super::event::{Arrival, event};
use super::record::{UrlRecord, is_id};
use super::respond::{refuse, refuse_signature, respond};
use crate::aliases::Chance;
use crate::{Lambda, invoke, measures};

/// The text for who may not call.
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>
const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
/// What a page from a URL in the form of a path may do: anything but pass for a page of the API beside it.
const SANDBOX: &str = "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts";
/// Carries the trace through a call.
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Whether a host or a path is that of a URL, of one that is there or of none.
pub fn claims(host_label: Option<&str>, path: &str) -> bool {
    named(host_label, path).is_some()
}

/// Answers a call of a URL. The function runs to its end even if the client hangs up.
pub async fn serve(lambda: Lambda, address: Arc<Address>, visit: Visit) -> Response {
    let Some((url, path)) = find(&lambda, &visit) else {
        return refuse(StatusCode::FORBIDDEN, "Forbidden");
    };
    let begun = Instant::now();
    let (response, executed) = answer(&lambda, &address, &url, &path, &visit).await;
    measures::record_url(&lambda.metrics, &url, executed, response.status, begun.elapsed());
    response
}

/// The response, and which version made it if one did.
async fn answer(
    lambda: &Lambda,
    address: &Address,
    url: &UrlRecord,
    path: &str,
    visit: &Visit,
) -> (Response, Option<Version>) {
    let request = &visit.request;
    let preflight = url.cors.as_ref().and_then(|cors| cors.preflight(request.method(), request.headers()));
    if let Some(answer) = preflight {
        return (answer, None);
    }
    let (mut response, executed) = match authorise(lambda, url, &visit.signer, visit.info.source_ip) {
        Ok(signer) => run(lambda, address, url, path, visit, signer).await,
        Err(denied) => (deny(denied), None),
    };
    if let Some(cors) = &url.cors {
        cors.grant(request.headers(), &mut response.headers);
    }
    if visit.host_label.is_none() {
        response.headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    }
    (response, executed)
}

/// The URL that a request names, and the path that its function sees.
fn find(lambda: &Lambda, visit: &Visit) -> Option<(Arc<UrlRecord>, String)> {
    let named = named(visit.host_label.as_deref(), visit.request.uri().path())?;
    let (id, region, path) = match named {
        Named::Host { id, region } => (id.to_ascii_lowercase(), Some(region), visit.request.uri().path()),
        Named::Path { id, rest } => (id.to_owned(), None, rest),
    };
    let url = lambda.urls.find(&id).filter(|_| is_id(&id))?;
    let at_home = region.is_none_or(|region| region.eq_ignore_ascii_case(url.scope.region.as_str()));
    at_home.then(|| (url, path.to_owned()))
}

/// What is said to who may not call.
fn deny(denied: Denied<'_>) -> Response {
    match denied {
        Denied::Forbidden => refuse(StatusCode::FORBIDDEN, FORBIDDEN),
        Denied::Signature { status, code, message } => refuse_signature(status, code, message),
        Denied::Fault(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.message),
    }
}

async fn run(
    lambda: &Lambda,
    address: &Address,
    url: &UrlRecord,
    path: &str,
    visit: &Visit,
    signer: Option<&Identified>,
) -> (Response, Option<Version>) {
    let target = url.target();
    let version = match invoke::find(lambda, &target, Chance::of(visit.info.request_id)) {
        Ok(version) => version,
        Err(error) => return (refuse(StatusCode::SERVICE_UNAVAILABLE, &error.message), None),
    };
    let executed = version.version;
    let (request, request_id, now) = (&visit.request, visit.info.request_id, lambda.now());
    let trace = trace(request.headers(), request_id, now);
    let payload = event(&Arrival {
        url_id: &url.id,
        domain_name: &address.domain_name(&url.id, &url.scope.region),
        port: address.port(),
        method: request.method(),
        path,
        query: request.uri().query().unwrap_or_default(),
        version: request.version(),
        headers: request.headers(),
        body: request.body(),
        source_ip: visit.info.source_ip,
        signer,
        request_id,
        trace: &trace,
        at: now,
    });
    if payload.len() > domain::limits::SYNC_PAYLOAD_BYTES {
        return (refuse(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"), None);
    }
    let begun = lambda.engine.invoke_streaming(Invocation {
        version,
        request_id,
        invoked_arn: target.arn(),
        payload: payload.into(),
        client_context: None,
        cognito_identity: None,
        trace_header: Some(trace.clone()),
        tenant_id: None,
        synchronous: true,
        tail: false,
    });
    let mut response = match begun.await {
        Ok(answer) => respond(url, answer).await,
        Err(error) => refuse_invocation(&error),
    };
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        response.headers.insert(TRACE, trace);
    }
    (response, Some(executed))
}

/// The function did not run.
fn refuse_invocation(error: &InvokeError) -> Response {
    match error {
        InvokeError::Throttled { .. } => refuse(StatusCode::TOO_MANY_REQUESTS, "Rate Exceeded."),
        InvokeError::ShuttingDown => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down; try again when it is back.")
        }
        InvokeError::RuntimeUnavailable { .. }
        | InvokeError::RestoreFailed
        | InvokeError::RestoreTimedOut => refuse(StatusCode::BAD_GATEWAY, &error.to_string()),
        InvokeError::Unavailable { .. } => {
            tracing::error!(%error, "a function URL's function did not run");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}

/// The trace that the caller goes on with, or a new one that is not recorded.
fn trace(headers: &HeaderMap, request_id: Uuid, now: Timestamp) -> String {
    if let Some(trace) = headers.get(TRACE).and_then(|trace| trace.to_str().ok()).filter(|t| !t.is_empty()) {
        return trace.to_owned();
    }
    let (seconds, id) = (now.epoch_ms() / 1000, request_id.simple().to_string());
    format!("Root=1-{seconds:08x}-{};Sampled=0", &id[..24])
}
