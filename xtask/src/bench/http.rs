//! A client of HTTP/1.1 that adds as little as possible to what it times: one connection, kept alive.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::answer::{self, Head};

/// Nothing that is measured takes this long: beyond it something hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 256 * 1024;

/// One connection, kept alive.
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// What the last answer said of the connection.
    closes: bool,
    /// The last answer, then room.
    buffer: Vec<u8>,
    body: std::ops::Range<usize>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { address, stream, closes: false, buffer: Vec::new(), body: 0..0 })
    }

    /// Sends a whole request and reads the whole answer.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Head> {
        // Some servers close a connection that was kept alive; it is looked at before, so that nothing is sent twice.
        if self.closes || self.is_closed() {
            *self = Self::open(self.address)?;
        }
        self.exchange_until(request, |_| {})
    }

    fn is_closed(&self) -> bool {
        let looked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let blocks_again = self.stream.set_nonblocking(false);
        blocks_again.is_err() || matches!(looked, Ok(0))
    }

    /// The same, telling how long it took until the first byte of the body was there.
    pub fn exchange_timed(&mut self, request: &[u8]) -> anyhow::Result<(Head, Duration)> {
        let (started, mut first) = (Instant::now(), None);
        let head = self.exchange_until(request, |so_far| {
            let body = so_far.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4);
            if body.is_some_and(|body| so_far.len() > body) {
                first.get_or_insert_with(|| started.elapsed());
            }
        })?;
        Ok((head, first.context("the answer has no body")?))
    }

    fn exchange_until(&mut self, request: &[u8], mut look: impl FnMut(&[u8])) -> anyhow::Result<Head> {
        self.stream.write_all(request).context("send the request")?;
        let mut filled = 0;
        loop {
            if self.buffer.len() < filled + READ_BYTES {
                self.buffer.resize((filled + READ_BYTES).max(filled * 2), 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).context("read the answer")?;
            ensure!(read > 0, "the server hung up");
            filled += read;
            look(&self.buffer[..filled]);
            if let Some(answer) = answer::parse(&self.buffer[..filled])? {
                let start = self.buffer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0) + 4;
                self.body = start..answer.length;
                self.closes = answer.head.closes;
                return Ok(answer.head);
            }
        }
    }

    /// The last answer's body, with the marks of its chunks if it came in such.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }
}

/// A request's bytes.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
