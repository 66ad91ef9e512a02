//! SQS, on a server that keeps what it accepts: sends a second, and messages a second through receive and delete.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use super::Session;
use crate::bench::aws::{self, SQS};
use crate::bench::http::Connection;
use crate::bench::load::{Plan, drive};
use crate::bench::process::Process;
use crate::bench::report::Report;
use crate::bench::spread::Spread;

/// Clients at a time.
const CLIENTS: [usize; 2] = [1, 16];
/// How long each of them sends.
const SPAN: Duration = Duration::from_secs(4);
/// Messages that a client receives and deletes.
const RECEIVED: usize = 500;
/// A message, in bytes.
const BODY_BYTES: usize = 200;

pub fn queues(session: &mut Session<'_>) -> anyhow::Result<()> {
    let data = std::env::temp_dir().join(format!("hearth-bench-{}", std::process::id()));
    let server = Process::start_with(session.binary, |command| {
        command.arg("--data-dir").arg(&data);
    })?;
    let address = server.address();
    for clients in CLIENTS {
        let measured = measure(address, clients, SPAN, RECEIVED)?;
        measured.add_rows(&mut session.report, "durable, ", clients);
    }
    server.stop()?;
    std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))
}

/// What a queue did for so many clients at a time.
pub struct Measured {
    pub sent: Spread,
    pub sent_per_second: f64,
    pub taken: Spread,
    pub taken_per_second: f64,
}

impl Measured {
    /// Two rows of the table.
    pub fn add_rows(&self, report: &mut Report, of: &str, clients: usize) {
        let row = format!("SQS send, {of}{clients} clients");
        report.spread_with_rate(&row, &self.sent, self.sent_per_second);
        let row = format!("SQS receive and delete, {of}{clients} clients");
        report.spread_with_rate(&row, &self.taken, self.taken_per_second);
    }
}

/// Sends for a span of time, then each client receives and deletes up to so many of the messages.
pub fn measure(
    address: SocketAddr,
    clients: usize,
    span: Duration,
    receive: usize,
) -> anyhow::Result<Measured> {
    let url = aws::create_queue(&mut Connection::open(address)?, address, &format!("bench-{clients}"))?;
    let body = json!({ "QueueUrl": url, "MessageBody": "m".repeat(BODY_BYTES) });
    let send = SQS.call(address, "SendMessage", &body);
    let run = drive(address, clients, &Plan::For { request: &send, span })?;
    let receive = receive.min(run.times.len() / clients);
    ensure!(receive > 0, "too few messages to receive: {}", run.times.len());
    let started = Instant::now();
    let takers: Vec<_> = (0..clients)
        .map(|_| {
            let url = url.clone();
            thread::spawn(move || take(address, &url, receive))
        })
        .collect();
    let mut times = Vec::new();
    for taker in takers {
        times.extend(taker.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
    }
    Ok(Measured {
        sent_per_second: run.per_second(),
        sent: Spread::of(run.times),
        taken_per_second: times.len() as f64 / started.elapsed().as_secs_f64(),
        taken: Spread::of(times),
    })
}

/// Receives and deletes one message after the other.
fn take(address: SocketAddr, url: &str, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(address)?;
    let receive = SQS.call(address, "ReceiveMessage", &json!({ "QueueUrl": url, "MaxNumberOfMessages": 1 }));
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let answer = aws::ask(&mut connection, &receive)?;
        let Some(handle) = answer["Messages"][0]["ReceiptHandle"].as_str() else {
            bail!("nothing was received")
        };
        aws::send(
            &mut connection,
            &SQS.call(address, "DeleteMessage", &json!({ "QueueUrl": url, "ReceiptHandle": handle })),
        )?;
        times.push(started.elapsed());
    }
    Ok(times)
}
