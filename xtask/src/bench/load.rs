//! Closed loops: each connection sends its next request when it has the answer to the last.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::http::Connection;

/// One connection, one request at a time.
pub fn sequential(address: SocketAddr, request: &[u8], calls: usize) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(address)?;
    (0..calls).map(|_| timed(&mut connection, request)).collect()
}

/// Several connections, each with one request in flight, for a span of time.
pub fn closed_loop(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    span: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let start = Barrier::new(connections);
    let one = || -> anyhow::Result<Vec<Duration>> {
        let connection = Connection::open(address);
        // Everyone arrives here, or the others would wait for ever.
        start.wait();
        let (mut connection, end) = (connection?, Instant::now() + span);
        let mut times = Vec::new();
        while Instant::now() < end {
            times.push(timed(&mut connection, request)?);
        }
        Ok(times)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(one)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().ok().context("a load thread failed")??);
        }
        Ok(all)
    })
}

fn timed(connection: &mut Connection, request: &[u8]) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let head = connection.exchange(request)?;
    let took = started.elapsed();
    if head.status != 200 || head.function_error {
        bail!("an invocation was answered with {head:?}: {}", String::from_utf8_lossy(connection.body()));
    }
    Ok(took)
}
