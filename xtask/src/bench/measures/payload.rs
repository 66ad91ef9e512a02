//! The largest payloads, and the first byte of a streamed response.

use anyhow::ensure;

use super::Session;
use crate::bench::spread::Spread;

/// Nearly as large as a synchronous invocation may be: the Rust function gives back a little more than it gets.
const BYTES: usize = 6 * 1024 * 1024 - 4096;
const CALLS: usize = 20;

pub fn six_megabytes(session: &mut Session<'_>) -> anyhow::Result<()> {
    let text = "x".repeat(BYTES - 2);
    let event = format!("\"{text}\"");
    for kind in session.kinds {
        let name = format!("large-{}", kind.slug);
        session.api.create(&name, kind)?;
        session.api.invoke(&name, event.as_bytes())?;
        let mut times = Vec::new();
        for _ in 0..CALLS {
            times.push(session.api.invoke(&name, event.as_bytes())?);
        }
        ensure!(session.api.body().len() >= event.len(), "{name} did not give back what it got");
        session.report.spread(&format!("6 MB there and back, {}", kind.name), &Spread::of(times));
        session.api.delete(&name)?;
    }
    Ok(())
}

/// The function writes once and ends 50 ms later: a first byte before that has not waited for the end.
pub fn first_byte(session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = "stream-node";
    let kind = session.kind("node");
    session.api.create_streaming(name, kind)?;
    session.api.invoke_streaming(name)?;
    let times = (0..CALLS).map(|_| session.api.invoke_streaming(name)).collect::<anyhow::Result<_>>()?;
    session.report.spread("first byte of a streamed response, Node.js", &Spread::of(times));
    session.api.delete(name)
}
