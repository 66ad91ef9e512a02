//! A service that reads its bodies as they come, spoken to as S3 is.

mod bodies;
mod refused;
mod routed;

use std::fmt::Write as _;
use std::pin::pin;

use domain::{Clock as _, SystemClock, Timestamp};
use http::request::Parts;
use http_body_util::{BodyExt as _, Either};
use sha2::{Digest as _, Sha256};

use super::auth::Keys;
use super::tiny::{Front, Tiny, builder};
use crate::gateway::{Body, Builder, InflowError, StreamedRequest, full};
use crate::sigv4::{Claim, Signer, View, hex};

pub(super) const SIGNER: Signer<'_> = Signer {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "secret",
    session_token: None,
    region: "eu-west-1",
    service: "s3",
};

/// Reads the body and says all that it knows. Beneath `/unread` it reads nothing; beneath `/echo` the body goes back as
/// it comes.
pub(super) async fn tell(asked: StreamedRequest) -> http::Response<Body> {
    let path = asked.request.uri().path().to_owned();
    let (parts, body) = asked.request.into_parts();
    if path.starts_with("/unread") {
        return refuse(403, "unread");
    }
    if path.starts_with("/echo") {
        let body = body.map_err(std::io::Error::other);
        return http::Response::new(Either::Right(body.boxed_unsync()));
    }
    let mut digest = Sha256::new();
    let mut body = pin!(body);
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.into_data().unwrap_or_default();
                length += data.len();
                digest.update(&data);
            }
            Err(error) => {
                let error: InflowError = error;
                let refusal = error.refusal();
                let text = format!("{} after {length}", refusal.code);
                return refuse(refusal.status.unwrap_or(500), &text);
            }
        }
    }
    let digest = &hex(&digest.finalize().into())[..8];
    let context = &asked.context;
    let mut text = format!("{} {} {length} {digest}", parts.method, parts.uri.path());
    let signer = if asked.anonymous { "nobody" } else { context.access_key_id.as_deref().unwrap_or("?") };
    let _ = write!(text, " by {signer} of {} in {}", context.principal.account(), context.scope.region);
    if let Some(label) = &asked.host_label {
        let _ = write!(text, " at {label}");
    }
    for (name, value) in &asked.trailers.all() {
        let _ = write!(text, " {name}={}", value.to_str().unwrap());
    }
    if let Some(page) = &asked.foreign_page {
        let _ = write!(text, " for {page}");
    }
    http::Response::new(full(text))
}

fn refuse(status: u16, text: &str) -> http::Response<Body> {
    let mut response = http::Response::new(full(text.to_owned()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

/// A gateway with the streamed service, which lets everybody in.
pub(super) fn open() -> Builder {
    builder(&Tiny::default()).streamed("s3", tell)
}

/// The same, which knows one key.
pub(super) async fn locked() -> Front {
    Front::new(open().authenticator(Keys)).await
}

/// The head of a request, signed; `declared` stands for the body.
pub(super) fn signed(signer: Signer<'_>, line: &str, headers: &[(&str, &str)], declared: &str) -> Parts {
    signed_at(SystemClock.now(), signer, line, headers, declared)
}

pub(super) fn signed_at(
    now: Timestamp,
    signer: Signer<'_>,
    line: &str,
    headers: &[(&str, &str)],
    declared: &str,
) -> Parts {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = http::Request::builder().method(method).uri(target).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    parts.headers.insert("x-amz-content-sha256", declared.parse().unwrap());
    signer.sign_declared(&mut parts, now);
    parts
}

pub(super) fn lines(parts: &Parts) -> String {
    let lines = parts.headers.iter();
    lines.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect()
}

/// A body in signed chunks, as its signed head begins it; with a trailer if one is given.
pub(super) fn chunked(parts: &Parts, chunks: &[&[u8]], trailer: Option<&str>) -> Vec<u8> {
    let view = View::from(parts);
    let mut key = Claim::of(&view).unwrap().unwrap().chunk_key(SIGNER.secret_access_key);
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend(format!("{:x};chunk-signature={}\r\n", chunk.len(), key.sign_chunk(chunk)).into_bytes());
        body.extend(*chunk);
        body.extend(b"\r\n");
    }
    body.extend(format!("0;chunk-signature={}\r\n", key.sign_chunk(b"")).into_bytes());
    if let Some(trailer) = trailer {
        let signature = key.sign_trailer(&format!("{trailer}\n"));
        body.extend(format!("{trailer}\r\nx-amz-trailer-signature:{signature}\r\n").into_bytes());
    }
    body.extend(b"\r\n");
    body
}

impl Front {
    /// Sends a head and the bytes behind it.
    pub(super) async fn send(&self, line: &str, headers: &str, body: &[u8]) -> String {
        let host = if headers.to_ascii_lowercase().contains("host: ") { "" } else { "Host: localhost\r\n" };
        let length = format!("Content-Length: {}\r\n", body.len());
        let head = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n{headers}{length}\r\n");
        self.raw(&[head.as_bytes(), body].concat()).await
    }
}

/// The first digits of the digest that the handler tells.
pub(super) fn digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body).into())[..8].to_owned()
}

pub(super) fn sha256(body: &[u8]) -> String {
    hex(&Sha256::digest(body).into())
}
