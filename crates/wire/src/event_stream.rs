//! Event streams: answers whose events reach the client one by one, each in a frame of its own.
//!
//! A frame is a prelude (its length, the length of its headers, a checksum of the two), headers, a payload and a
//! checksum of everything before it. <https://smithy.io/2.0/aws/amazon-eventstream.html>

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::protocol::Malformed;
use crate::record::{Datum, Record};
use crate::schema::{Kind, Location, Shape};
use crate::value::Value;

/// The media type of a stream of events.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The checksum at the end.
const CHECKSUM_BYTES: usize = 4;
/// The type of a header's value: text.
const STRING: u8 = 7;

/// A member that is a stream of events `T`. Clones are the same stream; whoever encodes the answer takes it.
pub struct EventStream<T> {
    events: Events,
    event: PhantomData<fn() -> T>,
}

impl<T: Record> EventStream<T> {
    /// A stream, and where its events go in. Whoever sends waits while `capacity` events wait for the client, and is
    /// told when the client has gone.
    pub fn channel(capacity: usize) -> (mpsc::Sender<T>, Self) {
        let (sender, receiver) = mpsc::channel::<T>(capacity);
        let events = Events(Arc::new(Mutex::new(Some(Box::new(receiver)))));
        (sender, Self { events, event: PhantomData })
    }
}

impl<T> Clone for EventStream<T> {
    fn clone(&self) -> Self {
        Self { events: self.events.clone(), event: PhantomData }
    }
}

impl<T> PartialEq for EventStream<T> {
    fn eq(&self, other: &Self) -> bool {
        self.events == other.events
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.fmt(f)
    }
}

impl<T: Record> Datum for EventStream<T> {
    /// Nothing takes events in yet.
    fn from_value(_: Value) -> Option<Self> {
        None
    }

    fn into_value(self) -> Value {
        Value::Events(self.events)
    }
}

/// Events on their way, with their type forgotten.
#[derive(Clone)]
pub struct Events(Arc<Mutex<Option<Box<dyn Source>>>>);

impl Events {
    /// The events; nothing if they have been taken already.
    fn take(&self) -> Option<Box<dyn Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl PartialEq for Events {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// Where events come from.
trait Source: Send {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Value>>;
}

impl<T: Record> Source for mpsc::Receiver<T> {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Value>> {
        self.poll_recv(cx).map(|event| event.map(T::into_value))
    }
}

/// The body that a stream of events is: one frame of HTTP for each event, as soon as it is there.
pub(crate) struct EventBody {
    source: Box<dyn Source>,
    /// The union of the events.
    shape: &'static Shape,
}

impl EventBody {
    pub(crate) fn new(events: &Events, shape: &'static Shape) -> Result<Self, Malformed> {
        match events.take() {
            Some(source) => Ok(Self { source, shape }),
            None => Err(Malformed::new("the events have been sent already")),
        }
    }
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(event) = ready!(self.source.poll_event(cx)) else { return Poll::Ready(None) };
        let frame = encode(self.shape, event).map_err(|Malformed(cause)| io::Error::other(cause));
        Poll::Ready(Some(frame.map(Frame::data)))
    }
}

/// Writes one event of the union `shape`.
fn encode(shape: &'static Shape, event: Value) -> Result<Bytes, Malformed> {
    let Value::Structure(mut fields) = event else { return Err(Malformed::new("an event is no structure")) };
    let member = shape.members().iter().find(|member| fields.get(member.name).is_some());
    let member = member.ok_or_else(|| Malformed::new("an event is none of its union"))?;
    let event = fields.take(member.name);
    let payload = member.shape.members().iter().find(|member| member.location == Location::Payload);
    let (content_type, payload) = match (payload, event) {
        (Some(payload), Value::Structure(mut fields)) if matches!(payload.shape.kind, Kind::Blob { .. }) => {
            let bytes = match fields.take(payload.name) {
                Value::Blob(bytes) => bytes,
                _ => Bytes::new(),
            };
            ("application/octet-stream", bytes)
        }
        (None, event) => ("application/json", crate::protocol::encode_json(member.shape, &event)?.into()),
        (Some(_), _) => return Err(Malformed::new("wire has no such event payload")),
    };
    let headers =
        [(":event-type", member.wire_name), (":content-type", content_type), (":message-type", "event")];
    frame(&headers, &payload)
}

/// Puts headers and payload into a frame.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Result<Bytes, Malformed> {
    let too_long = || Malformed::new("an event is too long for its frame");
    let headers_bytes: usize = headers.iter().map(|(name, value)| 1 + name.len() + 3 + value.len()).sum();
    let bytes = PRELUDE_BYTES + headers_bytes + payload.len() + CHECKSUM_BYTES;
    let mut frame = BytesMut::with_capacity(bytes);
    frame.put_u32(u32::try_from(bytes).map_err(|_| too_long())?);
    frame.put_u32(u32::try_from(headers_bytes).map_err(|_| too_long())?);
    frame.put_u32(crc32fast::hash(&frame));
    for (name, value) in headers {
        frame.put_u8(u8::try_from(name.len()).map_err(|_| too_long())?);
        frame.put_slice(name.as_bytes());
        frame.put_u8(STRING);
        frame.put_u16(u16::try_from(value.len()).map_err(|_| too_long())?);
        frame.put_slice(value.as_bytes());
    }
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests;
