//! A response on its way through while the function still writes it.
//!
//! Nothing is kept: a part is taken from the runtime's connection when the caller has taken the one before, so a slow
//! caller slows the function down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Posted, Reply, body, reply, response_error};
use crate::environment::{Answer, Refusal};
use crate::pace::{Bandwidth, Pace};

/// Where a streamed response goes.
pub(crate) struct Sink {
    /// To the caller; closed when the caller has gone, which is no concern of the function.
    pub(crate) chunks: mpsc::Sender<Bytes>,
    /// How many bytes the function has produced.
    pub(crate) produced_bytes: Arc<AtomicUsize>,
    /// How fast they may go.
    pub(crate) bandwidth: Bandwidth,
    /// How many there may be.
    pub(crate) bytes_max: usize,
    /// How the response ended; dropped when the connection broke before that.
    pub(crate) ended: oneshot::Sender<Ended>,
}

/// The end of a streamed response, waiting for the environment's decision.
pub(crate) struct Ended {
    pub(crate) posted: Posted,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Passes the response on as it comes, then tells the environment how it ended.
pub(super) async fn forward(mut incoming: Incoming, sink: Sink) -> Reply {
    let Sink { chunks, produced_bytes, bandwidth, bytes_max, ended } = sink;
    let mut pace = Pace::new(bandwidth, Instant::now());
    let mut trailers = None;
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return reply::truncated() };
        let mut chunk = match frame.into_data() {
            Ok(chunk) => chunk,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        let room = bytes_max - produced_bytes.load(Ordering::Relaxed);
        let too_large = chunk.len() > room;
        chunk.truncate(room);
        produced_bytes.fetch_add(chunk.len(), Ordering::Relaxed);
        if let Some(at) = pace.take(chunk.len(), Instant::now()) {
            tokio::time::sleep_until(at).await;
        }
        if !chunk.is_empty() {
            let _ = chunks.send(chunk).await;
        }
        if too_large {
            drop(chunks);
            return refuse_rest(incoming, ended, bytes_max).await;
        }
    }
    drop(chunks);
    let (answer, decision) = oneshot::channel();
    let sent = ended.send(Ended { posted: posted(trailers.as_ref()), reply: answer });
    reply::decided(sent.is_ok(), decision).await
}

/// The caller learns at once that the limit is reached. The runtime learns it when it has written everything, because
/// it does not read before; the function's timeout bounds how long that takes.
async fn refuse_rest(incoming: Incoming, ended: oneshot::Sender<Ended>, bytes_max: usize) -> Reply {
    let posted = Posted {
        answer: Answer::TooLarge,
        body: Bytes::new(),
        error_type: "Function.ResponseSizeTooLarge".to_owned(),
    };
    let (answer, decision) = oneshot::channel();
    let _ = ended.send(Ended { posted, reply: answer });
    let rest = body::read(incoming, 0).await;
    match (decision.await, rest) {
        (_, Err(body::Truncated)) => reply::truncated(),
        (Ok(Err(Refusal::TooLarge)), Ok(_)) => reply::too_large(bytes_max),
        (Ok(Err(refusal)), Ok(_)) => reply::refused(refusal),
        _ => reply::gone(),
    }
}

fn posted(trailers: Option<&HeaderMap>) -> Posted {
    response_error(trailers, Bytes::new()).unwrap_or_else(|| Posted {
        answer: Answer::Success,
        body: Bytes::new(),
        error_type: String::new(),
    })
}
