//! A Runtime API for one runtime client, and for a test that plays the service.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than anything takes on a busy machine; nothing waits for it that succeeds.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub type Headers = BTreeMap<String, String>;

/// One invocation, as `next` hands it out.
pub struct Invocation {
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What the client said of an invocation, or of its start.
#[derive(Debug)]
pub struct Report {
    /// After `/2018-06-01/runtime/`.
    pub path: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
}

impl Report {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

pub struct Api {
    pub address: SocketAddr,
    invocations: Sender<Invocation>,
    reports: Receiver<Report>,
    connections: Arc<Mutex<usize>>,
}

impl Api {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (invocations, queue) = channel();
        let (reporter, reports) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let connections = Arc::new(Mutex::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, queue, reporter) = (stream.unwrap(), Arc::clone(&queue), reporter.clone());
                *count.lock().unwrap() += 1;
                std::thread::spawn(move || serve(stream, &queue, &reporter));
            }
        });
        Self { address, invocations, reports, connections }
    }

    pub fn hand_out(&self, invocation: Invocation) {
        self.invocations.send(invocation).unwrap();
    }

    pub fn report(&self) -> Option<Report> {
        self.reports.recv_timeout(PATIENCE).ok()
    }

    /// A report that has come already.
    pub fn report_so_far(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

fn serve(stream: TcpStream, queue: &Mutex<Receiver<Invocation>>, reporter: &Sender<Report>) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let first = line(&mut reader)?;
        let headers = read_headers(&mut reader)?;
        let (method, target) = first.split_once(' ')?;
        if target.starts_with("/2018-06-01/ping ") {
            answer(&stream, "200 OK", &Headers::new(), b"pong")?;
            continue;
        }
        let path = target.split(' ').next()?.strip_prefix("/2018-06-01/runtime/")?.to_owned();
        if method == "GET" && path == "invocation/next" {
            let invocation = queue.lock().unwrap().recv().ok()?;
            answer(&stream, "200 OK", &invocation.headers, &invocation.body)?;
            continue;
        }
        let (body, trailers) = read_body(&mut reader, &headers)?;
        reporter.send(Report { path, headers, body, trailers }).ok()?;
        answer(&stream, "202 Accepted", &Headers::new(), br#"{"status":"OK"}"#)?;
    }
}

fn answer(mut stream: &TcpStream, status: &str, headers: &Headers, body: &[u8]) -> Option<()> {
    let mut head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // In two pieces and the body in two more: clients must put them together.
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    let (start, end) = body.split_at(body.len() / 2);
    stream.write_all(start).ok()?;
    stream.write_all(end).ok()
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn read_headers(reader: &mut impl BufRead) -> Option<Headers> {
    let mut headers = Headers::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { return Some(headers) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn read_body(reader: &mut impl BufRead, headers: &Headers) -> Option<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_none_or(|encoding| encoding != "chunked") {
        body.resize(headers.get("content-length")?.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
        return Some((body, Headers::new()));
    }
    loop {
        let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
        if size == 0 {
            return Some((body, read_headers(reader)?));
        }
        reader.take(size as u64).read_to_end(&mut body).ok()?;
        line(reader)?;
    }
}
