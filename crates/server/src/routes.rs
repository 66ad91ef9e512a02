//! Hearth's own paths, beside AWS's: health, reset, and downloads of packages.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Clock;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use lambda::{BadLink, CodeLinks};
use sns::Sns;
use store::{BlobId, Store};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::gateway::{self, Body, Origin, RequestInfo};

use crate::reset::Reset;

/// Packages in memory, each for as long as its download lasts.
const DOWNLOADS_MAX: usize = 8;
/// How long a download waits for others to end.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(20);

/// Places for downloads: slow functions do not keep the host waiting.
static FROM_HOST: Semaphore = Semaphore::const_new(DOWNLOADS_MAX);
static FROM_SANDBOXES: Semaphore = Semaphore::const_new(DOWNLOADS_MAX);

/// A place for a download, or none in time.
async fn place(origin: Option<Origin>) -> Option<SemaphorePermit<'static>> {
    let places = if origin == Some(Origin::Host) { &FROM_HOST } else { &FROM_SANDBOXES };
    tokio::time::timeout(DOWNLOAD_PATIENCE, places.acquire()).await.ok()?.ok()
}

/// A package that keeps its place until the last of it is sent.
struct Download {
    zip: Bytes,
    _place: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Download {
    fn as_ref(&self) -> &[u8] {
        &self.zip
    }
}

/// `GET /_hearth/health`: answers as soon as requests are.
pub async fn health(request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_allowed("GET");
    }
    json(StatusCode::OK, serde_json::json!({ "status": "ready", "version": env!("CARGO_PKG_VERSION") }))
}

/// `POST /_hearth/reset`: empties an ephemeral server. It is for whoever started it: a function that could do it would
/// end all others, of every account.
pub async fn reset(reset: Arc<Reset>, request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    let from_host = request.extensions().get::<RequestInfo>().is_some_and(|info| info.origin == Origin::Host);
    if !from_host {
        return json(
            StatusCode::FORBIDDEN,
            serde_json::json!({ "message": "A function cannot reset Hearth." }),
        );
    }
    match reset.run().await {
        Ok(()) => json(StatusCode::OK, serde_json::json!({ "status": "empty" })),
        Err(message) => json(StatusCode::CONFLICT, serde_json::json!({ "message": message })),
    }
}

/// `GET /_hearth/sns/…`: where the links in messages of SNS lead.
pub async fn sns(sns: Sns, request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::GET {
        return not_allowed("GET");
    }
    let page = sns.visit(request.uri().path(), request.uri().query().unwrap_or_default()).await;
    let mut response = Response::new(gateway::full(page.body));
    *response.status_mut() = page.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    response
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
    let origin = request.extensions().get::<RequestInfo>().map(|info| info.origin);
    let Some(place) = place(origin).await else {
        let message = "Too many packages are being downloaded; please try again.";
        return json(StatusCode::SERVICE_UNAVAILABLE, serde_json::json!({ "message": message }));
    };
    let found = match code.0.parse::<BlobId>() {
        Ok(blob) => store.blobs().read(&blob).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(zip)) => {
            let zip = Bytes::from_owner(Download { zip, _place: place });
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

pub fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response =
        json(StatusCode::METHOD_NOT_ALLOWED, serde_json::json!({ "message": format!("Use {allowed}.") }));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub fn json(status: StatusCode, body: serde_json::Value) -> Response<Body> {
    let mut response = Response::new(gateway::full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_download_keeps_its_place_until_the_last_of_it_is_sent() {
        let mut unread = Vec::new();
        for _ in 0..DOWNLOADS_MAX {
            let place = place(Some(Origin::Sandbox)).await.unwrap();
            unread.push(Bytes::from_owner(Download { zip: Bytes::from_static(b"zip"), _place: place }));
        }
        let last = unread[0].slice(2..);
        drop(unread.remove(0));
        assert_eq!(FROM_SANDBOXES.available_permits(), 0);
        assert!(place(Some(Origin::Host)).await.is_some(), "functions take the host's places");
        drop(last);
        assert!(place(Some(Origin::Sandbox)).await.is_some());
    }
}
