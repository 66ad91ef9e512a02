//! From the start of the process to the first answer.

use super::Session;
use crate::bench::process::Process;
use crate::bench::spread::Spread;

/// Starts of which the median is taken.
const STARTS: usize = 7;

pub fn starts(session: &mut Session<'_>) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let server = Process::start(session.binary)?;
        times.push(server.ready_after());
        server.stop()?;
    }
    session.report.spread("time to ready", &Spread::of(times));
    Ok(())
}
