//! One function that gives back what it gets, again and again.

use std::time::Duration;

use super::Session;
use crate::bench::function::EVENT;
use crate::bench::load::{Plan, drive};
use crate::bench::spread::Spread;

/// One after the other.
const CALLS: usize = 3000;
/// Invocations at a time under load.
const IN_FLIGHT: usize = 16;
/// How long the load lasts.
const SPAN: Duration = Duration::from_secs(4);
/// Open loop: one every so often, which leaves time to rest in between.
const INTERVAL: Duration = Duration::from_micros(2000);
const OPEN_CALLS: usize = 2000;

pub fn one_after_the_other(session: &mut Session<'_>) -> anyhow::Result<()> {
    each(session, |session, name, request| {
        drive(session.api.address(), 1, &Plan::Count { request, count: CALLS / 5 })?;
        let run = drive(session.api.address(), 1, &Plan::Count { request, count: CALLS })?;
        session.report.spread(&format!("warm invoke, {name}"), &Spread::of(run.times));
        Ok(())
    })
}

pub fn in_flight(session: &mut Session<'_>) -> anyhow::Result<()> {
    each(session, |session, name, request| {
        drive(session.api.address(), IN_FLIGHT, &Plan::For { request, span: SPAN / 2 })?;
        let run = drive(session.api.address(), IN_FLIGHT, &Plan::For { request, span: SPAN })?;
        let rate = run.per_second();
        let row = format!("warm invoke, {name}, {IN_FLIGHT} in flight");
        session.report.spread_with_rate(&row, &Spread::of(run.times), rate);
        Ok(())
    })
}

pub fn open_loop(session: &mut Session<'_>) -> anyhow::Result<()> {
    each(session, |session, name, request| {
        drive(session.api.address(), 1, &Plan::Count { request, count: CALLS / 5 })?;
        let plan = Plan::Every { request, interval: INTERVAL, count: OPEN_CALLS };
        let run = drive(session.api.address(), IN_FLIGHT, &plan)?;
        let rate = run.per_second();
        let row = format!("warm invoke, {name}, one every {} ms", INTERVAL.as_millis());
        session.report.spread_with_rate(&row, &Spread::of(run.times), rate);
        Ok(())
    })
}

/// Does something with a warm function of each kind: its name in the report, and the bytes that invoke it.
fn each(
    session: &mut Session<'_>,
    measure: impl Fn(&mut Session<'_>, &str, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for kind in session.kinds {
        let name = format!("warm-{}", kind.slug);
        session.api.create(&name, kind)?;
        let request = session.api.invocation(&name, EVENT);
        measure(session, kind.name, &request)?;
        session.api.delete(&name)?;
    }
    Ok(())
}
