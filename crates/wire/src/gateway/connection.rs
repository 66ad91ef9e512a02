//! Listeners and connections: how many, how idle, and how they end.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::{Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::{Body, Gateway};

/// Headers of one request, and how much of a body is read at once.
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// Header lines of one request.
const HEADERS_MAX: usize = 128;
/// Requests in flight on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Headers of one HTTP/2 request, as HTTP/2 counts them.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// What an HTTP/2 client may send ahead of our reading, in one request and in all of a connection.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// After a failed accept (no file descriptors left), the wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A listener of the host.
    Host,
    /// A function, from inside its sandbox.
    Sandbox,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's.
    pub address: IpAddr,
    /// Ours, as the client dialled it.
    pub local: IpAddr,
    /// Where the client is.
    pub origin: Origin,
}

/// How connections are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    /// Connections from the host; as many again from sandboxes.
    pub(super) connections_max: usize,
    /// A request's head must be complete, and the next one begin, within this.
    pub(super) idle: Duration,
    /// After a shutdown, requests in flight may take this long.
    pub(super) drain: Duration,
}

/// What connections share.
pub(super) struct Connections {
    protocol: auto::Builder<TokioExecutor>,
    keeping: Keeping,
    from_host: Arc<Semaphore>,
    from_sandboxes: Arc<Semaphore>,
}

impl Connections {
    pub(super) fn new(keeping: Keeping) -> Self {
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        protocol
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(keeping.idle)
            .keep_alive(true)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX);
        protocol
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let slots = || Arc::new(Semaphore::new(keeping.connections_max.min(Semaphore::MAX_PERMITS)));
        Self { protocol, keeping, from_host: slots(), from_sandboxes: slots() }
    }
}

impl Gateway {
    /// Accepts connections until `shutdown`; then lets the requests in flight finish, up to the drain deadline.
    /// Several listeners are several calls.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let (closing, closed) = watch::channel(false);
        let mut shutdown = pin!(shutdown);
        let connections = &self.0.connections;
        loop {
            let accepted = async {
                let slot = Arc::clone(&connections.from_host).acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (gateway, closed) = (self.clone(), closed.clone());
                    tokio::spawn(async move {
                        gateway.connection(stream, Origin::Host, closed).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    warn!(%error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, closed));
        // Each connection enforces the deadline on itself.
        let _ = closing.send(true);
        closing.closed().await;
    }

    /// Serves a connection that somebody else accepted, to its end.
    pub async fn serve_stream(&self, stream: TcpStream, origin: Origin) {
        let slots = match origin {
            Origin::Host => &self.0.connections.from_host,
            Origin::Sandbox => &self.0.connections.from_sandboxes,
        };
        let slot = Arc::clone(slots).acquire_owned().await;
        let (_open, closed) = watch::channel(false);
        self.connection(stream, origin, closed).await;
        drop(slot);
    }

    async fn connection(&self, stream: TcpStream, origin: Origin, mut closed: watch::Receiver<bool>) {
        let Connections { protocol, keeping, .. } = &self.0.connections;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection ended before it began");
            return;
        }
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let peer = Peer {
            address: stream.peer_addr().map_or(unknown, |address| address.ip().to_canonical()),
            local: stream.local_addr().map_or(unknown, |address| address.ip().to_canonical()),
            origin,
        };
        let activity = Arc::new(Activity::default());
        let (gateway, noted) = (self.clone(), Arc::clone(&activity));
        let service = service_fn(move |request| {
            let (gateway, busy) = (gateway.clone(), Busy::begin(&noted));
            async move {
                let response = gateway.answer(request, peer).await;
                Ok::<_, Infallible>(response.map(|body| Guarded::new(body, busy)))
            }
        });
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let patience = loop {
            let (before, tick) = (activity.begun(), Instant::now() + keeping.idle);
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(error = %error, peer = %peer.address, "connection failed");
                    }
                    return;
                }
                _ = closed.wait_for(|closed| *closed) => break keeping.drain,
                () = tokio::time::sleep_until(tick) => {
                    if activity.idle_since(before) {
                        break keeping.idle;
                    }
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        if timeout(patience, connection).await.is_err() {
            debug!(peer = %peer.address, "connection dropped at its deadline");
        }
    }
}

/// What a connection is doing, for its watchdog: hyper bounds the wait for an HTTP/1 head, but neither the wait for
/// the first byte nor an HTTP/2 connection without requests.
#[derive(Default)]
struct Activity {
    begun: AtomicU64,
    in_flight: AtomicU32,
}

impl Activity {
    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn idle_since(&self, before: u64) -> bool {
        self.begun() == before && self.in_flight.load(Ordering::Relaxed) == 0
    }
}

/// A body that tells the watchdog how it goes. A request is in flight while its answer waits for the handler; while it
/// waits for the client, only what the client takes keeps the connection alive.
struct Guarded {
    body: Body,
    activity: Arc<Activity>,
    waits: Option<Busy>,
    /// Why the body ends early, held back for one turn: hyper drops what it has not written when a body fails, and
    /// writes when a body waits.
    failed: Option<<Body as hyper::body::Body>::Error>,
}

impl Guarded {
    /// An answer that is all there waits for nobody but the client.
    fn new(body: Body, busy: Busy) -> Self {
        let activity = Arc::clone(&busy.0);
        let waits = matches!(body, Either::Right(_)).then_some(busy);
        Self { body, activity, waits, failed: None }
    }
}

impl hyper::body::Body for Guarded {
    type Data = Bytes;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Some(Err(failed)));
        }
        let mut polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(failed))) = polled {
            self.failed = Some(failed);
            cx.waker().wake_by_ref();
            polled = Poll::Pending;
        }
        match (&polled, &self.waits) {
            (Poll::Pending, None) => self.waits = Some(Busy::begin(&self.activity)),
            (Poll::Ready(_), Some(_)) => self.waits = None,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request in flight.
struct Busy(Arc<Activity>);

impl Busy {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
