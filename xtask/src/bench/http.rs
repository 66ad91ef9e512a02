//! A client of HTTP/1.1 that adds as little as possible to what it times: one connection, kept alive, no copies.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Nothing that is measured takes this long: beyond it something hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// One connection, kept alive.
pub struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

/// An answer's status and what a function said of its failure; the body is in the connection's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub function_error: bool,
}

impl Connection {
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// Sends a whole request and reads the whole answer.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Head> {
        self.stream.get_mut().write_all(request).context("send the request")?;
        let status = self.status_line()?;
        let (mut function_error, mut length) = (false, None);
        loop {
            let line = self.next_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').with_context(|| format!("{line:?} is not a header"))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>().context("understand Content-Length")?);
            } else if name.eq_ignore_ascii_case("x-amz-function-error") {
                function_error = true;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("the answer is sent in chunks, which this client does not read");
            }
        }
        let length = if status == 204 { 0 } else { length.context("the answer has no Content-Length")? };
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).context("read the answer")?;
        Ok(Head { status, function_error })
    }

    /// The last answer's body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    fn status_line(&mut self) -> anyhow::Result<u16> {
        let line = self.next_line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).with_context(|| format!("{line:?} is not HTTP/1.1"))
    }

    fn next_line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line).context("read the answer")?;
        ensure!(read > 0, "the server hung up");
        Ok(self.line.trim_end())
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
