//! A response that the caller sees while the function writes it: how it begins and how it ends.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Environment, Reply};
use crate::environment::deadlines::Due;
use crate::environment::state::{Answer, Event, Refusal};
use crate::invocation::StreamHead;
use crate::runtime_api::{Ended, Posted, Sink};

/// Parts of a response that may wait for the caller, each at most what is read from the runtime at once.
const CHUNKS_WAITING: usize = 4;
/// A runtime that dies closes its connection a moment before its end is seen: the end tells more.
const TRUNCATION_GRACE: Duration = Duration::from_millis(500);

impl Environment {
    /// The runtime begins a streamed response. Where the caller wants it whole, it is collected like any other.
    pub(super) async fn stream_asked(
        &mut self,
        id: Option<Uuid>,
        content_type: Option<String>,
        reply: oneshot::Sender<Result<Option<Sink>, Refusal>>,
    ) {
        if self.job.as_ref().is_none_or(|current| current.job.stream.is_none()) {
            let _ = reply.send(Ok(None));
            return;
        }
        self.call = Some(Reply::Stream { content_type, reply });
        self.feed(Event::StreamBegun(id)).await;
    }

    /// Connects the runtime with the caller, who learns in this moment that there is a response.
    pub(super) fn open_stream(&mut self) {
        let Some(Reply::Stream { content_type, reply }) = self.call.take() else { return };
        let Some(current) = &mut self.job else { return };
        let Some(head) = current.job.stream.take() else { return };
        let (chunks, receiver) = mpsc::channel(CHUNKS_WAITING);
        let (ended, end) = oneshot::channel();
        let produced_bytes = Arc::new(AtomicUsize::new(0));
        current.streamed_bytes = Some(Arc::clone(&produced_bytes));
        current.streaming_since = Some(Instant::now());
        self.stream_end = Some(end);
        let limits = &self.engine.options.limits;
        let sink = Sink {
            chunks,
            produced_bytes,
            bandwidth: limits.stream_bandwidth,
            bytes_max: limits.stream_bytes_max,
            ended,
        };
        // Neither a caller nor a connection that has gone is seen here; both are where they read.
        let _ = head.send(StreamHead { content_type, chunks: receiver });
        let _ = reply.send(Ok(Some(sink)));
    }

    /// The response is all there, or its connection broke.
    pub(super) async fn stream_ended(&mut self, ended: Result<Ended, oneshot::error::RecvError>) {
        self.stream_end = None;
        match ended {
            Ok(Ended { posted, reply }) => {
                self.call = Some(Reply::Post(reply));
                self.end_stream(posted).await;
            }
            Err(_) => self.deadlines.set(Due::Truncation, Instant::now() + TRUNCATION_GRACE),
        }
    }

    /// The connection broke, and the runtime lives on.
    pub(super) async fn stream_truncated(&mut self) {
        self.end_stream(Posted {
            answer: Answer::Truncated,
            body: Bytes::new(),
            error_type: "Runtime.TruncatedResponse".to_owned(),
        })
        .await;
    }

    async fn end_stream(&mut self, posted: Posted) {
        let answer = posted.answer;
        self.posted = Some(posted);
        self.feed(Event::StreamEnded(answer)).await;
        self.posted = None;
    }
}
