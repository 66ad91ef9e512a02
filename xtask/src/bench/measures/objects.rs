//! Objects, small and large, on a server that keeps them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::Session;
use crate::bench::aws;
use crate::bench::http::Connection;
use crate::bench::load::{Plan, drive};
use crate::bench::process::Process;
use crate::bench::report::Report;
use crate::bench::spread::Spread;

const BUCKET: &str = "/bench-objects";
const SMALL_BYTES: usize = 1024;
const LARGE_BYTES: usize = 64 * 1024 * 1024;
/// Clients at a time that put and get small objects, and for how long.
const CLIENTS: [usize; 2] = [1, 16];
const SPAN: Duration = Duration::from_secs(2);
/// Large objects, one after the other: after the first, which is not measured, as many as the span lets.
const LARGE: usize = 8;

pub fn objects(session: &mut Session<'_>) -> anyhow::Result<()> {
    let data = std::env::temp_dir().join(format!("hearth-bench-{}", std::process::id()));
    let server = Process::start_with(session.binary, |command| {
        command.arg("--data-dir").arg(&data);
    })?;
    measure(server.address(), &mut session.report, "durable")?;
    server.stop()?;
    std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))
}

/// Adds the rows of a server.
pub fn measure(address: SocketAddr, report: &mut Report, of: &str) -> anyhow::Result<()> {
    let mut connection = Connection::open(address)?;
    aws::send(&mut connection, &aws::s3(address, "PUT", BUCKET, b"")).context("create the bucket")?;
    let put = aws::s3(address, "PUT", &format!("{BUCKET}/small"), &[b's'; SMALL_BYTES]);
    let get = aws::s3(address, "GET", &format!("{BUCKET}/small"), b"");
    for (request, what) in [(&put, "PUT"), (&get, "GET")] {
        for clients in CLIENTS {
            let run = drive(address, clients, &Plan::For { request, span: SPAN })?;
            let per_second = run.per_second();
            let row = format!("S3 {what} of 1 KB, {of}, {clients} clients");
            report.spread_with_rate(&row, &Spread::of(run.times), per_second);
        }
    }
    let put = aws::s3(address, "PUT", &format!("{BUCKET}/large"), &vec![b'l'; LARGE_BYTES]);
    let get = aws::s3(address, "GET", &format!("{BUCKET}/large"), b"");
    for (request, what) in [(&put, "PUT"), (&get, "GET")] {
        aws::send(&mut connection, request)?;
        let (started, mut times) = (Instant::now(), Vec::new());
        while times.is_empty() || (times.len() < LARGE && started.elapsed() < SPAN) {
            let began = Instant::now();
            let length = aws::send(&mut connection, request)?.len();
            times.push(began.elapsed());
            ensure!(what == "PUT" || length == LARGE_BYTES, "an object of {length} bytes came back");
        }
        report.spread(&format!("S3 {what} of 64 MB, {of}"), &Spread::of(times));
    }
    Ok(())
}
