//! Asynchronous events, on a server that keeps what it accepts: how many a second, and how soon the function has one.

use std::time::Duration;

use anyhow::Context as _;

use super::Session;
use crate::bench::function::{Api, EVENT, Kind};
use crate::bench::heard::Heard;
use crate::bench::load::{Plan, drive};
use crate::bench::process::Process;
use crate::bench::spread::Spread;

/// Events, one after the other.
const EVENTS: usize = 500;
/// At a time, and for how long.
const IN_FLIGHT: usize = 16;
const SPAN: Duration = Duration::from_secs(4);

pub fn events(session: &mut Session<'_>) -> anyhow::Result<()> {
    let (root, report) = (session.root, &mut session.report);
    let heard = Heard::open()?;
    let data = std::env::temp_dir().join(format!("hearth-bench-{}", std::process::id()));
    let server = Process::start_with(session.binary, |command| {
        command.arg("--data-dir").arg(&data).arg("--allow-host").arg(format!("127.0.0.1:{}", heard.port()));
    })?;
    let mut api = Api::connect(server.address())?;
    api.create_role()?;
    let tells =
        Kind::python(root, "tells.py", "tells.handler")?.calling("host.docker.internal", heard.port());
    api.create("tells", &tells)?;
    let times = heard.after_each(EVENTS, SPAN, || api.send("tells", EVENT))?;
    report.spread("asynchronous event, send → function, durable", &times);

    api.create("echoes", &Kind::python(root, "lambda_function.py", "lambda_function.handler")?)?;
    for connections in [1, IN_FLIGHT] {
        let request = api.event("echoes", EVENT);
        let run = drive(api.address(), connections, &Plan::For { request: &request, span: SPAN })?;
        let per_second = run.per_second();
        let row = format!("asynchronous event, accepted, durable, {connections} in flight");
        report.spread_with_rate(&row, &Spread::of(run.times), per_second);
    }
    server.stop()?;
    std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))
}
