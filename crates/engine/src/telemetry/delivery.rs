//! Posts batches into the sandbox.
//!
//! A process that is frozen does not answer until it is thawed, however long that takes, so nothing here counts the
//! time of an answer: a subscriber that does not answer loses what does not fit into its queue.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Clock;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::queue::Queue;
use super::subscription::Destination;
use crate::isolation::Dialer;

/// How often a batch is tried before it is given up.
const TRIES: u32 = 5;
/// Before the second try; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// Delivers a queue for as long as it is polled; `delivered` is told whenever a batch has been dealt with.
pub(crate) async fn deliver(queue: Arc<Queue>, dialer: Dialer, clock: Arc<dyn Clock>, delivered: impl Fn()) {
    let mut connection = Connection { dialer, state: State::Closed, running: JoinSet::new() };
    loop {
        let batch = queue.batch().await;
        let mut tried = 0;
        loop {
            match connection.send(&queue.subscription().destination, &batch).await {
                Ok(()) => {
                    queue.delivered();
                    break;
                }
                Err(error) => {
                    tracing::debug!(%error, "telemetry was not delivered");
                    connection.state = State::Closed;
                    tried += 1;
                }
            }
            if tried == TRIES {
                queue.lost(&batch, clock.now());
                break;
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tried - 1)).await;
        }
        delivered();
    }
}

struct Connection {
    dialer: Dialer,
    state: State,
    /// What drives an HTTP connection.
    running: JoinSet<()>,
}

enum State {
    Closed,
    Http(SendRequest<Full<Bytes>>),
    Tcp(TcpStream),
}

impl Connection {
    async fn send(&mut self, destination: &Destination, batch: &[String]) -> io::Result<()> {
        match destination {
            Destination::Tcp { port } => {
                let mut lines = batch.join("\n");
                lines.push('\n');
                self.tcp(*port).await?.write_all(lines.as_bytes()).await
            }
            Destination::Http { port, authority, path, put } => {
                let request = Request::builder()
                    .method(if *put { Method::PUT } else { Method::POST })
                    .uri(path)
                    .header(HOST, authority)
                    .header(CONTENT_TYPE, "application/json")
                    .body(Full::new(Bytes::from(format!("[{}]", batch.join(",")))))
                    .map_err(io::Error::other)?;
                let answer = self.http(*port).await?.send_request(request).await.map_err(io::Error::other)?;
                let status = answer.status();
                let mut body = answer.into_body();
                // Read and forgotten, so that the connection can be used again.
                while let Some(frame) = body.frame().await {
                    frame.map_err(io::Error::other)?;
                }
                if status.is_success() { Ok(()) } else { Err(io::Error::other(format!("answered {status}"))) }
            }
        }
    }

    async fn tcp(&mut self, port: u16) -> io::Result<&mut TcpStream> {
        if !matches!(self.state, State::Tcp(_)) {
            self.state = State::Tcp((self.dialer)(port).await?);
        }
        match &mut self.state {
            State::Tcp(stream) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn http(&mut self, port: u16) -> io::Result<&mut SendRequest<Full<Bytes>>> {
        let usable = match &mut self.state {
            State::Http(sender) => sender.ready().await.is_ok(),
            _ => false,
        };
        if !usable {
            self.running.abort_all();
            let stream = (self.dialer)(port).await?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
            self.running.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "telemetry connection ended");
                }
            });
            self.state = State::Http(sender);
        }
        match &mut self.state {
            State::Http(sender) => Ok(sender),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
