//! Hearth's own paths, beside AWS's: health, reset, and downloads of packages.

use std::sync::Arc;

use bytes::Bytes;
use domain::Clock;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use lambda::{BadLink, CodeLinks};
use store::{BlobId, Store};
use wire::gateway::{self, Body};

use crate::reset::Reset;

/// `GET /_hearth/health`: answers as soon as requests are.
pub async fn health(request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_allowed("GET");
    }
    json(StatusCode::OK, serde_json::json!({ "status": "ready", "version": env!("CARGO_PKG_VERSION") }))
}

/// `POST /_hearth/reset`: empties an ephemeral server.
pub async fn reset(reset: Arc<Reset>, request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    match reset.run().await {
        Ok(()) => json(StatusCode::OK, serde_json::json!({ "status": "empty" })),
        Err(message) => json(StatusCode::CONFLICT, serde_json::json!({ "message": message })),
    }
}

/// `GET /_hearth/code/<sha256>`: what `GetFunction`'s `Code.Location` links to.
pub async fn code(
    links: CodeLinks,
    store: Store,
    clock: Arc<dyn Clock>,
    request: Request<Bytes>,
) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_allowed("GET");
    }
    let query = request.uri().query().unwrap_or_default();
    let code = match links.open(request.uri().path(), query, clock.now()) {
        Ok(code) => code,
        Err(bad) => {
            let message = match bad {
                BadLink::Expired => "This link has expired; GetFunction gives a new one.",
                BadLink::Forged => "Hearth did not make this link; GetFunction gives one.",
            };
            return json(StatusCode::FORBIDDEN, serde_json::json!({ "message": message }));
        }
    };
    let found = match code.0.parse::<BlobId>() {
        Ok(blob) => store.blobs().read(&blob).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(zip)) => {
            let mut response = Response::new(gateway::full(zip));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
            response
        }
        Ok(None) => json(
            StatusCode::NOT_FOUND,
            serde_json::json!({ "message": "The function's package was replaced since." }),
        ),
        Err(error) => {
            tracing::error!(%error, "package not readable");
            json(
                StatusCode::INTERNAL_SERVER_ERROR,
                serde_json::json!({ "message": "The server's log has the cause." }),
            )
        }
    }
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response =
        json(StatusCode::METHOD_NOT_ALLOWED, serde_json::json!({ "message": format!("Use {allowed}.") }));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn json(status: StatusCode, body: serde_json::Value) -> Response<Body> {
    let mut response = Response::new(gateway::full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
