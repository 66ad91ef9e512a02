//! Reads request bodies within bounds: of size, of time, and of the memory that all of them hold together; and counts
//! the memory that answers hold until their clients have read them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// The unit in which memory is granted, so that a permit count fits 32 bits.
const GRAIN_BYTES: usize = 1024;
/// How much is granted at a time beyond what has arrived.
const STRIDE_BYTES: usize = 256 * 1024;
/// How much of a refused body is read and thrown away at most.
const DISCARD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Shorter answers are not counted: a connection's buffers are as large.
const ANSWER_BYTES_UNCOUNTED: usize = 4 * 1024;

/// What a body may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// A body may be this late before its rate counts.
    pub(super) grace: Duration,
    /// Slower than this on the whole is refused.
    pub(super) rate_bytes_per_second_min: u32,
    /// How long a body waits for memory that others hold.
    pub(super) patience: Duration,
}

/// The memory for all bodies in flight.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    grains: Arc<Semaphore>,
}

/// The memory for those who come from one place, so that others do not starve when they are slow.
#[derive(Debug)]
pub(super) struct Memory {
    /// Of requests.
    pub(super) bodies: Budget,
    /// Until the client has taken them.
    pub(super) answers: Budget,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bodies: Budget::new(bytes), answers: Budget::new(bytes) }
    }
}

/// A body that can be taken away; then it is empty.
pub(super) struct Taken<B>(Option<B>);

impl<B> Taken<B> {
    pub(super) fn new(body: B) -> Self {
        Self(Some(body))
    }

    /// The body.
    ///
    /// # Panics
    /// If it was taken before.
    pub(super) fn take(&mut self) -> B {
        self.0.take().expect("a body is taken once")
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Taken<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A body that is all there, counted until it is read.
pub(super) struct Whole {
    bytes: Bytes,
    _share: Share,
}

impl Whole {
    pub(super) fn new(bytes: Bytes, share: Share) -> Self {
        Self { bytes, _share: share }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Part of the budget, given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Share(Option<OwnedSemaphorePermit>);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyRefusal {
    /// Longer than allowed.
    TooLarge,
    /// Too slow.
    TimedOut,
    /// The budget is spent.
    Busy,
    /// The connection broke, or the framing is wrong.
    Broken,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let grains = (bytes / GRAIN_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { grains: Arc::new(Semaphore::new(grains)) }
    }

    /// The same bytes, counted for as long as anybody has any of them.
    pub(super) async fn hold(&self, bytes: Bytes, patience: Duration) -> Result<Bytes, BodyRefusal> {
        if bytes.len() <= ANSWER_BYTES_UNCOUNTED {
            return Ok(bytes);
        }
        let mut share = Share::default();
        self.widen(&mut share, bytes.len(), patience).await?;
        Ok(Bytes::from_owner(Held { bytes, _share: share }))
    }

    async fn widen(&self, share: &mut Share, bytes: usize, patience: Duration) -> Result<(), BodyRefusal> {
        let grains = u32::try_from(bytes.div_ceil(GRAIN_BYTES)).map_err(|_| BodyRefusal::TooLarge)?;
        let granted = match Arc::clone(&self.grains).try_acquire_many_owned(grains) {
            Ok(granted) => granted,
            Err(_) => timeout(patience, Arc::clone(&self.grains).acquire_many_owned(grains))
                .await
                .map_err(|_| BodyRefusal::Busy)?
                .expect("the budget is never closed"),
        };
        match &mut share.0 {
            Some(held) => held.merge(granted),
            None => share.0 = Some(granted),
        }
        Ok(())
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `limit` bytes; a longer one that says its length is refused before it is read.
pub(super) async fn read<B>(
    mut body: B,
    limit: usize,
    budget: &Budget,
    pace: Pace,
) -> Result<(Bytes, Share), BodyRefusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut share = Share::default();
    if body.is_end_stream() {
        return Ok((Bytes::new(), share));
    }
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(BodyRefusal::TooLarge);
    }
    let started = Instant::now();
    let (mut read, mut granted) = (Gathered::default(), 0);
    while let Some(data) = next(&mut body, started, read.length, pace).await? {
        let length = read.length + data.len();
        if length > limit {
            return Err(BodyRefusal::TooLarge);
        }
        if length > granted {
            // Granted as it arrives, so that an announcement alone holds nothing.
            let remaining =
                announced.map_or(limit, |length| usize::try_from(length).unwrap_or(limit)) - read.length;
            let wanted = (length - granted).max(STRIDE_BYTES.min(remaining));
            budget.widen(&mut share, wanted, pace.patience).await?;
            granted += wanted;
        }
        read.push(data);
    }
    Ok((read.finish(), share))
}

/// Reads a refused body to its end, or to the end of patience, keeping nothing: an answer to a client that is still
/// sending would be lost with the reset.
pub(super) async fn discard<B>(mut body: B, pace: Pace)
where
    B: Body<Data = Bytes> + Unpin,
{
    let (started, mut length) = (Instant::now(), 0);
    while let Ok(Some(data)) = next(&mut body, started, length, pace).await {
        length += data.len();
        if length > DISCARD_BYTES_MAX {
            return;
        }
    }
}

/// The next piece, if it comes in time: `grace` and what has been read so far at the least rate.
async fn next<B>(
    body: &mut B,
    started: Instant,
    length: usize,
    pace: Pace,
) -> Result<Option<Bytes>, BodyRefusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let earned = Duration::from_secs_f64(length as f64 / f64::from(pace.rate_bytes_per_second_min));
    let deadline = started + pace.grace + earned;
    loop {
        match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyRefusal::TimedOut),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(BodyRefusal::Broken),
            Ok(Some(Ok(frame))) => {
                // Trailers say nothing that any operation reads.
                if let Ok(data) = Frame::into_data(frame) {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A body in pieces. One piece, the usual case, is never copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    rest: BytesMut,
    length: usize,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        if self.length == 0 {
            self.first = data;
            self.length = self.first.len();
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.length += data.len();
        self.rest.extend_from_slice(&data);
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const PACE: Pace = Pace {
        grace: Duration::from_secs(10),
        rate_bytes_per_second_min: 1024,
        patience: Duration::from_secs(1),
    };

    /// A body in pieces that never says its length; `None` stands for silence.
    struct Pieces(Vec<Option<&'static [u8]>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if let Some(None) = self.0.last() {
                return Poll::Pending;
            }
            match self.0.pop().flatten() {
                None => Poll::Ready(None),
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece))))),
            }
        }
    }

    fn pieces(pieces: &[Option<&'static [u8]>]) -> Pieces {
        Pieces(pieces.iter().rev().copied().collect())
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        let budget = Budget::new(1 << 20);
        let body = pieces(&[Some(b"ab"), Some(b""), Some(b"cd")]);
        assert_eq!(read(body, 4, &budget, PACE).await.unwrap().0, "abcd");
        let body = pieces(&[Some(b"ab"), Some(b"cde")]);
        assert_eq!(read(body, 4, &budget, PACE).await.unwrap_err(), BodyRefusal::TooLarge);
        let body = http_body_util::Full::new(Bytes::from_static(b"abcde"));
        assert_eq!(read(body, 4, &budget, PACE).await.unwrap_err(), BodyRefusal::TooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_or_trickling_body_times_out() {
        let budget = Budget::new(1 << 20);
        let body = pieces(&[Some(b"ab"), None]);
        let started = Instant::now();
        assert_eq!(read(body, 4, &budget, PACE).await.unwrap_err(), BodyRefusal::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(11));
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_makes_bodies_wait_and_then_refuses_them() {
        let budget = Budget::new(2 * GRAIN_BYTES);
        let (_, held) = read(pieces(&[Some(b"ab")]), 2000, &budget, PACE).await.unwrap();
        let refused = read(pieces(&[Some(b"ab")]), 2000, &budget, PACE).await.unwrap_err();
        assert_eq!(refused, BodyRefusal::Busy);
        let waiting = read(pieces(&[Some(b"ab")]), 2000, &budget, PACE);
        let release = async { drop(held) };
        assert_eq!(tokio::join!(waiting, release).0.unwrap().0, "ab");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_until_the_last_of_it_is_taken() {
        let budget = Budget::new(10 * GRAIN_BYTES);
        let hold = |length| budget.hold(Bytes::from(vec![b'x'; length]), PACE.patience);
        let mut unread = hold(8 * GRAIN_BYTES).await.unwrap();
        assert_eq!(hold(8 * GRAIN_BYTES).await.unwrap_err(), BodyRefusal::Busy);
        drop(unread.split_to(7 * GRAIN_BYTES));
        assert_eq!(hold(8 * GRAIN_BYTES).await.unwrap_err(), BodyRefusal::Busy);
        assert_eq!(hold(ANSWER_BYTES_UNCOUNTED).await.unwrap().len(), ANSWER_BYTES_UNCOUNTED);
        drop(unread);
        assert_eq!(hold(8 * GRAIN_BYTES).await.unwrap(), vec![b'x'; 8 * GRAIN_BYTES]);
    }
}
