//! The Runtime API, as a runtime inside an environment sees it: HTTP/1.1 on the cell's listener.
//!
//! A connection turns requests into [`Call`]s and waits for the environment's decision. It decides nothing itself
//! except what needs no state: unknown paths, malformed requests, sizes. Everything that comes in here was written by
//! the function, so every part of it is bounded.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

mod body;
mod holding;
mod reply;
mod route;
mod stream;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Credentials, limits};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use crate::environment::{Answer, Refusal};
use crate::extensions::{self, ExtensionCall};
use holding::{Hold, Holding};
use route::Route;
pub(crate) use stream::{Ended, Sink};

type Reply = Response<Full<Bytes>>;

/// A runtime needs one connection; a few more do no harm, and many do.
pub(crate) const CONNECTIONS_MAX: usize = 32;
/// Bodies that the server reads and holds for one environment at a time: its memory is not the function's, and a body
/// may be large on each of the connections. A runtime posts one.
pub(crate) const BODIES_MAX: usize = 2;
/// Request line and headers of one request; there may be 100 of them, which is what fits without an allocation.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// Hearth's own: the question for the next invocation comes right behind the report.
const THEN: &str = "hearth-then";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

/// A call of the runtime, waiting for the environment's decision.
pub(crate) struct Call {
    /// Which start of the runtime the connection belongs to; calls of a former one mean nothing.
    pub(crate) generation: u64,
    pub(crate) kind: CallKind,
}

pub(crate) enum CallKind {
    Next {
        reply: oneshot::Sender<Result<Event, Refusal>>,
    },
    Post {
        id: Option<Uuid>,
        posted: Posted,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A streamed response begins: where it goes, if the caller would take it so.
    Stream {
        id: Option<Uuid>,
        content_type: Option<String>,
        reply: oneshot::Sender<Result<Option<Sink>, Refusal>>,
    },
    InitError {
        posted: Posted,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Extension(ExtensionCall),
    RestoreNext {
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    RestoreError {
        posted: Posted,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Credentials {
        token: Option<String>,
        reply: oneshot::Sender<Option<Credentials>>,
    },
}

/// Reads a body within bounds: nothing if it broke off, and no bytes if they were too many.
pub(crate) async fn read_body(body: Incoming, bytes_max: usize) -> Option<Option<Bytes>> {
    Some(body::read(body, bytes_max).await.ok()?.bytes)
}

/// What a runtime posted.
pub(crate) struct Posted {
    pub(crate) answer: Answer,
    pub(crate) body: Bytes,
    /// The kind of failure; empty for a response.
    pub(crate) error_type: String,
}

/// An invocation on its way to the runtime.
pub(crate) struct Event {
    pub(crate) request_id: Uuid,
    pub(crate) deadline_epoch_ms: i64,
    pub(crate) invoked_arn: String,
    pub(crate) trace_id: String,
    pub(crate) client_context: Option<String>,
    pub(crate) cognito_identity: Option<String>,
    pub(crate) tenant_id: Option<Arc<str>>,
    pub(crate) payload: Bytes,
}

/// Serves one connection until the runtime closes it. `bodies` is shared by the environment's connections.
pub(crate) async fn serve(
    stream: TcpStream,
    generation: u64,
    calls: mpsc::Sender<Call>,
    bodies: Arc<Semaphore>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "runtime connection without TCP_NODELAY");
    }
    let hold = Hold::default();
    let stream = Holding::new(stream, hold.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (calls, bodies, hold) = (calls.clone(), Arc::clone(&bodies), hold.clone());
        let then_next = request.headers().get(THEN).is_some_and(|then| then == "next");
        async move {
            let reply = answer(request, generation, &calls, &bodies).await;
            hold.set(then_next);
            Ok::<_, Infallible>(reply)
        }
    });
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .max_buf_size(HEAD_BYTES_MAX)
        // A runtime says nothing for as long as its function runs; a connection that idles is no fault.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "runtime connection ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    generation: u64,
    calls: &mpsc::Sender<Call>,
    bodies: &Semaphore,
) -> Reply {
    let call = |kind| calls.send(Call { generation, kind });
    let route = Route::of(request.method(), request.uri().path());
    // Until the environment has decided about it. The semaphore is never closed.
    let _body = if route.has_body() { bodies.acquire().await.ok() } else { None };
    match route {
        Route::Ping => reply::pong(),
        Route::Next => {
            let (reply, decision) = oneshot::channel();
            if call(CallKind::Next { reply }).await.is_err() {
                return reply::gone();
            }
            match decision.await {
                Ok(Ok(event)) => reply::event(event),
                Ok(Err(refusal)) => reply::refused(refusal),
                Err(_) => reply::gone(),
            }
        }
        Route::Response(id) => match respond(request, id, generation, calls).await {
            Ok(Responded::Streamed(reply)) => reply,
            Ok(Responded::Posted(posted)) => {
                let (reply, decision) = oneshot::channel();
                let sent = call(CallKind::Post { id, posted, reply }).await;
                reply::decided(sent.is_ok(), decision).await
            }
            Err(body::Truncated) => reply::truncated(),
        },
        Route::Error(id) => match read_error(request, "Function.Unknown").await {
            Ok(posted) => {
                let (reply, decision) = oneshot::channel();
                let sent = call(CallKind::Post { id, posted, reply }).await;
                reply::decided(sent.is_ok(), decision).await
            }
            Err(body::Truncated) => reply::truncated(),
        },
        Route::InitError => match read_error(request, "Runtime.Unknown").await {
            Ok(posted) => {
                let (reply, decision) = oneshot::channel();
                let sent = call(CallKind::InitError { posted, reply }).await;
                reply::decided(sent.is_ok(), decision).await
            }
            Err(body::Truncated) => reply::truncated(),
        },
        Route::RestoreNext => {
            let (reply, decision) = oneshot::channel();
            let sent = call(CallKind::RestoreNext { reply }).await;
            reply::restored(sent.is_ok(), decision).await
        }
        Route::RestoreError => match read_error(request, "Runtime.Unknown").await {
            Ok(posted) => {
                let (reply, decision) = oneshot::channel();
                let sent = call(CallKind::RestoreError { posted, reply }).await;
                reply::decided(sent.is_ok(), decision).await
            }
            Err(body::Truncated) => reply::truncated(),
        },
        Route::Credentials => {
            let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let (reply, answer) = oneshot::channel();
            let _ = call(CallKind::Credentials { token: token.map(str::to_owned), reply }).await;
            match answer.await {
                Ok(Some(credentials)) => reply::credentials(&credentials),
                Ok(None) | Err(_) => reply::no_credentials(),
            }
        }
        Route::Extension(route) => {
            let send = async |extension| call(CallKind::Extension(extension)).await.is_ok();
            reply::extension(extensions::answer(route, request, send).await)
        }
        Route::WrongMethod => reply::wrong_method(),
        Route::Unknown => reply::unknown(),
    }
}

/// What became of a response.
enum Responded {
    /// It is all there, and waits for the environment's decision.
    Posted(Posted),
    /// It went to the caller, and this is the answer.
    Streamed(Reply),
}

/// A response: passed on as it comes if it is streamed and the caller takes it so, or else collected.
async fn respond(
    request: Request<Incoming>,
    id: Option<Uuid>,
    generation: u64,
    calls: &mpsc::Sender<Call>,
) -> Result<Responded, body::Truncated> {
    let mode = request.headers().get(RESPONSE_MODE).map(|value| value.as_bytes().to_ascii_lowercase());
    if mode.as_deref() == Some(b"streaming") {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let (reply, sink) = oneshot::channel();
        let asked = Call { generation, kind: CallKind::Stream { id, content_type, reply } };
        // Without an answer the environment is going away, as the post will show.
        let sink = if calls.send(asked).await.is_ok() { sink.await.unwrap_or(Ok(None)) } else { Ok(None) };
        match sink {
            Ok(Some(sink)) => {
                return Ok(Responded::Streamed(stream::forward(request.into_body(), sink).await));
            }
            Ok(None) => {}
            Err(refusal) => {
                body::read(request.into_body(), 0).await?;
                return Ok(Responded::Streamed(reply::refused(refusal)));
            }
        }
    }
    let known_mode = matches!(mode.as_deref(), None | Some(b"streaming" | b"buffered"));
    collect(request, known_mode).await.map(Responded::Posted)
}

/// A whole response, buffered or streamed. A streamed one may end in an error, told by its trailers.
async fn collect(request: Request<Incoming>, known_mode: bool) -> Result<Posted, body::Truncated> {
    let body = body::read(request.into_body(), limits::SYNC_RESPONSE_BYTES).await?;
    let posted = |answer, body, error_type: &str| Posted { answer, body, error_type: error_type.to_owned() };
    if !known_mode {
        return Ok(posted(Answer::InvalidMode, Bytes::new(), "Runtime.InvalidResponseModeHeader"));
    }
    let Some(bytes) = body.bytes else {
        return Ok(posted(Answer::TooLarge, Bytes::new(), "Function.ResponseSizeTooLarge"));
    };
    let error = response_error(body.trailers.as_ref(), bytes.clone());
    Ok(error.unwrap_or_else(|| posted(Answer::Success, bytes, "")))
}

/// The error that trailers make of a response, if they do; `otherwise` is its body if they have none.
fn response_error(trailers: Option<&HeaderMap>, otherwise: Bytes) -> Option<Posted> {
    let trailer = |name| trailers.and_then(|trailers| trailers.get(name)?.to_str().ok());
    let error_type = valid_error_type(Some(trailer(ERROR_TYPE)?), "Function.Unknown");
    let body = trailer(ERROR_BODY).and_then(body::decode_base64).unwrap_or(otherwise);
    Some(Posted { answer: Answer::Error, body, error_type })
}

async fn read_error(request: Request<Incoming>, unknown: &str) -> Result<Posted, body::Truncated> {
    let header = request.headers().get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    let error_type = valid_error_type(header, unknown);
    let body = body::read(request.into_body(), limits::SYNC_RESPONSE_BYTES).await?;
    Ok(match body.bytes {
        Some(body) => Posted { answer: Answer::Error, body, error_type },
        None => Posted {
            answer: Answer::TooLarge,
            body: Bytes::new(),
            error_type: "Function.ResponseSizeTooLarge".to_owned(),
        },
    })
}

/// What logs and metrics call the error: `Runtime.` or `Function.` and a word, or else unknown.
fn valid_error_type(reported: Option<&str>, unknown: &str) -> String {
    let Some(reported) = reported else { return unknown.to_owned() };
    let word = reported.strip_prefix("Runtime.").or_else(|| reported.strip_prefix("Function."));
    let valid = word.is_some_and(|word| {
        word.len() > 1
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    match (valid, reported.starts_with("Runtime.")) {
        (true, _) => reported.to_owned(),
        (false, true) => "Runtime.Unknown".to_owned(),
        (false, false) => "Function.Unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn connected(calls: &mpsc::Sender<Call>, bodies: &Arc<Semaphore>) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, 0, calls.clone(), Arc::clone(bodies)));
        client
    }

    /// What an environment is sent beyond its share stays in the function's sockets, where it is the function's memory.
    #[tokio::test]
    async fn no_more_bodies_are_held_at_once_than_an_environment_may_have() {
        let (sender, mut calls) = mpsc::channel(8);
        let bodies = Arc::new(Semaphore::new(BODIES_MAX));
        let post =
            b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
        let (mut clients, mut held) = (Vec::new(), Vec::new());
        for _ in 0..BODIES_MAX {
            let mut client = connected(&sender, &bodies).await;
            client.write_all(post).await.unwrap();
            held.push(calls.recv().await.unwrap());
            clients.push(client);
        }
        let mut one_more = connected(&sender, &bodies).await;
        one_more.write_all(post).await.unwrap();
        // What needs no body is answered all the same; by then the other would have been read.
        let mut ping = connected(&sender, &bodies).await;
        ping.write_all(b"GET /2018-06-01/ping HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(ping.read(&mut [0; 64]).await.unwrap() > 0);
        assert!(calls.try_recv().is_err(), "a body is read beyond the environment's share");
        drop(held);
        assert!(tokio::time::timeout(Duration::from_secs(10), calls.recv()).await.unwrap().is_some());
    }

    #[test]
    fn an_error_type_is_a_known_prefix_and_a_word_or_else_unknown() {
        let check = |reported, expected: &str| {
            assert_eq!(valid_error_type(reported, "Runtime.Unknown"), expected, "{reported:?}");
        };
        check(None, "Runtime.Unknown");
        check(Some("Runtime.ImportModuleError"), "Runtime.ImportModuleError");
        check(Some("Function.Broken"), "Function.Broken");
        check(Some("ValueError"), "Function.Unknown");
        check(Some("Runtime."), "Runtime.Unknown");
        check(Some("Runtime.lower"), "Runtime.Unknown");
        check(Some("Function.With Space"), "Function.Unknown");
    }
}
