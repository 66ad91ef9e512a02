//! Functions that never ran: created first, so that only their invocation is timed.

use super::Session;
use crate::bench::function::{EVENT, Kind};
use crate::bench::load::{Plan, drive};
use crate::bench::spread::Spread;

/// Functions of each kind that are invoked once each, one after the other.
const FUNCTIONS: usize = 30;
/// Functions that are invoked at the same moment.
const BURST: usize = 100;
/// Of those, how many a full pool of stems has certainly something for: it keeps 64 of a kind on machines of 16 GiB up.
const POOLED: usize = 60;
/// Functions once each, to empty the pool and go on.
const MANY: usize = 500;
/// Of those, how many are in flight at a time.
const MANY_IN_FLIGHT: usize = 8;

pub fn one_after_the_other(session: &mut Session<'_>) -> anyhow::Result<()> {
    for kind in session.kinds {
        let (names, creations) = create(session, kind, "cold", FUNCTIONS)?;
        session.report.spread(&format!("create → Active, {}", kind.name), &creations);
        session.server.settle()?;
        let times = invoke(session, &names)?;
        session.report.spread(&format!("cold invoke, {}", kind.name), &times);
        delete(session, &names)?;
    }
    Ok(())
}

/// All at once, and then more with nothing left in the pool.
pub fn burst(session: &mut Session<'_>) -> anyhow::Result<()> {
    for kind in session.kinds {
        let (burst, _) = create(session, kind, "burst", BURST)?;
        let (after, _) = create(session, kind, "after", FUNCTIONS)?;
        session.server.settle()?;
        let requests = requests(session, &burst);
        let run = drive(session.api.address(), BURST, &Plan::Once(&requests))?;
        let rate = run.per_second();
        let row = format!("cold invoke, {}, {BURST} at once", kind.name);
        let mut times = run.times;
        times.sort_unstable();
        let pooled = times[..POOLED].to_vec();
        session.report.spread_with_rate(&row, &Spread::of(times), rate);
        if kind.slug != "rust" {
            // A custom runtime has no stem.
            let spread = Spread::of(pooled);
            let rate = POOLED as f64 / spread.max().as_secs_f64();
            session.report.spread_with_rate(&format!("{row}, the first {POOLED}"), &spread, rate);
        }
        let times = invoke(session, &after)?;
        session.report.spread(&format!("cold invoke, {}, the pool exhausted", kind.name), &times);
        delete(session, &burst)?;
        delete(session, &after)?;
    }
    Ok(())
}

pub fn many_functions(session: &mut Session<'_>) -> anyhow::Result<()> {
    let (names, _) = create(session, session.kind("python"), "many", MANY)?;
    session.server.settle()?;
    let requests = requests(session, &names);
    let run = drive(session.api.address(), MANY_IN_FLIGHT, &Plan::Once(&requests))?;
    let rate = run.per_second();
    let row = format!("cold invoke, Python, {MANY} functions once, {MANY_IN_FLIGHT} in flight");
    session.report.spread_with_rate(&row, &Spread::of(run.times), rate);
    delete(session, &names)
}

fn create(
    session: &mut Session<'_>,
    kind: &Kind,
    prefix: &str,
    count: usize,
) -> anyhow::Result<(Vec<String>, Spread)> {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}-{}-{number}", kind.slug)).collect();
    let times = names.iter().map(|name| session.api.create(name, kind)).collect::<anyhow::Result<_>>()?;
    Ok((names, Spread::of(times)))
}

fn requests(session: &Session<'_>, names: &[String]) -> Vec<Vec<u8>> {
    names.iter().map(|name| session.api.invocation(name, EVENT)).collect()
}

fn invoke(session: &mut Session<'_>, names: &[String]) -> anyhow::Result<Spread> {
    let times = names.iter().map(|name| session.api.invoke(name, EVENT)).collect::<anyhow::Result<_>>()?;
    Ok(Spread::of(times))
}

fn delete(session: &mut Session<'_>, names: &[String]) -> anyhow::Result<()> {
    names.iter().try_for_each(|name| session.api.delete(name))
}
