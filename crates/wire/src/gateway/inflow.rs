//! A body on its way in, as its client meant it: framing off, digests checked, at the client's pace but not at a
//! snail's.

mod error;
mod patience;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;

pub use error::InflowError;
use patience::Patience;

use super::body::Pace;
use crate::sigv4::{ChunkError, Decoder, hex};

/// What a transport's body is here.
pub(super) type Raw = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The headers behind a body: there once it has been read to its end. A cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<OnceLock<HeaderMap>>);

impl Trailers {
    /// A header's value, if it is text.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get()?.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// All of them; none before the body has been read.
    pub fn all(&self) -> HeaderMap {
        self.0.get().cloned().unwrap_or_default()
    }
}

/// How a body's bytes are to be understood.
pub(super) enum Form {
    /// As they come.
    Plain,
    /// As they come, with this SHA-256, in hexadecimal.
    Digested(String, Sha256),
    /// In chunks.
    Chunks(Box<Decoder>),
}

/// What nobody read of a body.
pub(super) struct Unread {
    pub(super) raw: Raw,
    /// Whether any of it was asked for: a client that waits for that before it sends has been told to.
    pub(super) begun: bool,
}

/// A body on its way in. What it holds is proven when its end is reached without an error: the last piece is not given
/// out before the whole has been checked.
pub struct Inflow {
    raw: Option<Raw>,
    begun: bool,
    form: Form,
    /// What has arrived and is not decoded yet.
    arrived: Bytes,
    /// The last piece, until what follows it is known.
    held: Option<Bytes>,
    announced: Option<u64>,
    read: u64,
    given: u64,
    trailers: Trailers,
    patience: Patience,
    ended: bool,
    /// Takes what nobody read.
    unread: Option<oneshot::Sender<Unread>>,
}

impl Inflow {
    pub(super) fn new(
        raw: Raw,
        form: Form,
        announced: Option<u64>,
        pace: Pace,
        unread: oneshot::Sender<Unread>,
    ) -> Self {
        let ended = raw.is_end_stream() && !matches!(form, Form::Chunks(_)) && announced.unwrap_or(0) == 0;
        Self {
            raw: Some(raw),
            begun: false,
            form,
            arrived: Bytes::new(),
            held: None,
            announced,
            read: 0,
            given: 0,
            trailers: Trailers::default(),
            patience: Patience::new(pace),
            ended,
            unread: Some(unread),
        }
    }

    pub(super) fn trailers(&self) -> Trailers {
        self.trailers.clone()
    }

    /// The transport's next piece.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, InflowError>>> {
        let Some(raw) = &mut self.raw else { return Poll::Ready(None) };
        self.begun = true;
        loop {
            match Pin::new(&mut *raw).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // The transport's own trailers say nothing that anybody reads.
                    if let Ok(data) = frame.into_data() {
                        self.patience.arrived(data.len());
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.raw = None;
                    return Poll::Ready(Some(Err(InflowError::Broken(error))));
                }
                Poll::Ready(None) => {
                    self.raw = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(self.patience.poll_wait(cx));
                    self.raw = None;
                    return Poll::Ready(Some(Err(InflowError::Stalled)));
                }
            }
        }
    }

    /// The client's next piece, which is not proven yet. None: the whole body is.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, InflowError>>> {
        loop {
            if let Form::Chunks(decoder) = &mut self.form {
                let decoded = decoder.next(&mut self.arrived);
                match decoded {
                    Ok(Some(data)) => return Poll::Ready(Some(self.count(data))),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Some(Err(self.named(error)))),
                }
            }
            let data = match ready!(self.poll_raw(cx)) {
                None => return Poll::Ready(self.finish().err().map(Err)),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(data)) => data,
            };
            match &mut self.form {
                Form::Chunks(_) => self.arrived = data,
                _ if data.is_empty() => {}
                Form::Plain => return Poll::Ready(Some(self.count(data))),
                Form::Digested(_, digest) => {
                    digest.update(&data);
                    return Poll::Ready(Some(self.count(data)));
                }
            }
        }
    }

    fn count(&mut self, data: Bytes) -> Result<Bytes, InflowError> {
        self.read += data.len() as u64;
        match self.announced {
            Some(announced) if self.read > announced => {
                Err(InflowError::Length { read: self.read, announced })
            }
            _ => Ok(data),
        }
    }

    fn named(&self, error: ChunkError) -> InflowError {
        match (error, self.announced) {
            (ChunkError::Excess { bytes }, Some(announced)) => InflowError::Length { read: bytes, announced },
            _ => error.into(),
        }
    }

    /// Proves the whole body, all of which has passed.
    fn finish(&mut self) -> Result<(), InflowError> {
        match &mut self.form {
            Form::Plain => {}
            Form::Digested(declared, digest) => {
                let computed = hex(&std::mem::take(digest).finalize().into());
                if !bool::from(computed.as_bytes().ct_eq(declared.as_bytes())) {
                    return Err(InflowError::Digest { declared: std::mem::take(declared), computed });
                }
            }
            Form::Chunks(decoder) if !decoder.is_done() => return Err(ChunkError::Malformed.into()),
            Form::Chunks(decoder) => {
                // Nobody else sets it, and this once.
                let _ = self.trailers.0.set(decoder.trailers().clone());
            }
        }
        match self.announced {
            Some(announced) if self.read != announced => {
                Err(InflowError::Length { read: self.read, announced })
            }
            _ => Ok(()),
        }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = InflowError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InflowError>>> {
        while !self.ended {
            let proven = match ready!(self.poll_data(cx)) {
                Some(Ok(data)) => self.held.replace(data),
                None => {
                    self.ended = true;
                    self.held.take()
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.held = None;
                    return Poll::Ready(Some(Err(error)));
                }
            };
            if let Some(data) = proven {
                self.given += data.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match self.announced {
            Some(announced) => SizeHint::with_exact(announced.saturating_sub(self.given)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let (Some(raw), Some(unread)) = (self.raw.take(), self.unread.take())
            && !raw.is_end_stream()
        {
            // Nobody waits for it any more if the client has gone.
            let _ = unread.send(Unread { raw, begun: self.begun });
        }
    }
}

/// A transport's body with its types forgotten.
pub(super) fn raw<B>(body: B) -> Raw
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}
