//! What a function answered, sent to who called its URL: whole, or while it is being written.

use std::io;

use bytes::{Bytes, BytesMut};
use domain::limits;
use engine::{Outcome, ResponseStream};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use http_body_util::channel::{Channel, Sender};
use wire::{Body, Response};

use super::answer::{Head, Malformed, infer, streamed_head};
use super::prelude::{MEDIA_TYPE, Prelude, Progress};
use super::record::{Mode, UrlRecord};

/// Parts of a response that may wait for the client, which so slows the function down.
const PARTS_WAITING: usize = 1;
/// What a stream is taken for that does not say.
const UNSAID: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Sends what the function answers.
pub async fn respond(url: &UrlRecord, answer: engine::Response) -> Response {
    let sent = match (answer, url.mode) {
        (engine::Response::Whole(outcome), mode) => whole(outcome, mode),
        (engine::Response::Stream(stream), Mode::Buffered) => gather(stream).await,
        (engine::Response::Stream(stream), Mode::ResponseStream) => pass_on(stream).await,
    };
    sent.unwrap_or_else(|failure| {
        match failure {
            // It has its own log.
            Failure::OfFunction => {}
            Failure::Malformed(why) => {
                tracing::warn!(function = %url.function, %why, "a function URL answers 502");
            }
        }
        bad_gateway()
    })
}

/// Why there is no answer.
enum Failure {
    /// The function failed, or was too slow.
    OfFunction,
    /// What it answered cannot be sent.
    Malformed(Malformed),
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn whole(outcome: Outcome, mode: Mode) -> Result<Response, Failure> {
    if outcome.function_error.is_some() {
        return Err(Failure::OfFunction);
    }
    let (head, body) = match mode {
        Mode::Buffered => infer(&outcome.payload)?,
        // Nothing is inferred in a stream, even if it came in one piece.
        Mode::ResponseStream => (ok(HeaderValue::from_static("application/json")), outcome.payload),
    };
    Ok(response(head, Body::Bytes(body)))
}

/// A streamed answer, sent when it is complete.
async fn gather(mut stream: ResponseStream) -> Result<Response, Failure> {
    let content_type = stream.content_type.take();
    let mut gathered = BytesMut::new();
    while let Some(part) = stream.chunk().await {
        if gathered.len() + part.len() > limits::SYNC_RESPONSE_BYTES {
            return Err(Malformed::from("the function's answer is longer than 6 MB").into());
        }
        gathered.extend_from_slice(&part);
    }
    if failed(stream).await {
        return Err(Failure::OfFunction);
    }
    if has_prelude(content_type.as_deref()) {
        let Progress::Complete { head, body } = Prelude::default().push(&gathered) else {
            return Err(no_head());
        };
        return Ok(response(streamed_head(&head)?, Body::Bytes(body)));
    }
    let gathered = gathered.freeze();
    let (head, body) = infer(&gathered).unwrap_or_else(|_| (ok(media_type(content_type)), gathered));
    Ok(response(head, Body::Bytes(body)))
}

/// A streamed answer, sent as it comes.
async fn pass_on(mut stream: ResponseStream) -> Result<Response, Failure> {
    let content_type = stream.content_type.take();
    let (head, begun) = if has_prelude(content_type.as_deref()) {
        let (head, begun) = read_head(&mut stream).await?;
        (streamed_head(&head)?, begun)
    } else {
        (ok(media_type(content_type)), Bytes::new())
    };
    let (sender, body) = Channel::new(PARTS_WAITING);
    tokio::spawn(send(stream, begun, sender));
    Ok(response(head, Body::Stream(body.map_err(|error: io::Error| error).boxed_unsync())))
}

async fn read_head(stream: &mut ResponseStream) -> Result<(Bytes, Bytes), Failure> {
    let mut prelude = Prelude::default();
    while let Some(part) = stream.chunk().await {
        match prelude.push(&part) {
            Progress::Incomplete(more) => prelude = more,
            Progress::Complete { head, body } => return Ok((head, body)),
            Progress::TooLong => break,
        }
    }
    Err(no_head())
}

/// Sends the rest of an answer. Where the function fails in the middle, the client sees the connection end early.
async fn send(mut stream: ResponseStream, begun: Bytes, mut sender: Sender<Bytes, io::Error>) {
    let mut next = Some(begun).filter(|begun| !begun.is_empty());
    loop {
        if let Some(part) = next.take()
            && sender.send_data(part).await.is_err()
        {
            // The client has gone; the function goes on.
            return;
        }
        next = stream.chunk().await;
        if next.is_none() {
            break;
        }
    }
    if failed(stream).await {
        sender.abort(io::Error::other("the function failed in the middle of its answer"));
    }
}

async fn failed(stream: ResponseStream) -> bool {
    stream.outcome().await.map_or(true, |outcome| outcome.function_error.is_some())
}

fn has_prelude(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|said| said.trim_start().to_ascii_lowercase().starts_with(MEDIA_TYPE))
}

fn no_head() -> Failure {
    Malformed::from("the response stream ends, or goes on for too long, without the end of its head").into()
}

fn media_type(said: Option<String>) -> HeaderValue {
    said.and_then(|said| HeaderValue::try_from(said).ok()).unwrap_or(UNSAID)
}

fn ok(content_type: HeaderValue) -> Head {
    Head { status: StatusCode::OK, headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]) }
}

fn response(Head { status, headers }: Head, body: Body) -> Response {
    Response { status, headers, body }
}

/// AWS's answer when a function fails, times out, or answers something that is no response.
fn bad_gateway() -> Response {
    let head = Head { status: StatusCode::BAD_GATEWAY, ..ok(HeaderValue::from_static("application/json")) };
    response(head, Body::Bytes(Bytes::from_static(b"Internal Server Error")))
}

/// The platform's own answer to a call that reaches no function.
pub fn refuse(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "Message": message }).to_string();
    let head = Head { status, ..ok(HeaderValue::from_static("application/json")) };
    response(head, Body::Bytes(body.into()))
}

/// A signature that does not hold, in the words of AWS's front end.
pub fn refuse_signature(status: u16, code: &'static str, message: &str) -> Response {
    let body = serde_json::json!({ "message": message }).to_string();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let mut head = Head { status, ..ok(HeaderValue::from_static("application/json")) };
    head.headers.insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(code));
    response(head, Body::Bytes(body.into()))
}
