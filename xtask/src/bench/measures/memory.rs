//! What the server's own processes hold, and what a sandbox does.

use super::Session;
use crate::bench::function::EVENT;
use crate::bench::load::{Plan, drive};
use crate::bench::process::Sandbox;

/// Functions that are waited for and then run.
const FUNCTIONS: usize = 12;
const INVOCATIONS: usize = 100_000;
const IN_FLIGHT: usize = 16;

/// A server that has not been asked for anything.
pub fn idle(session: &mut Session<'_>) -> anyhow::Result<()> {
    session.report.memory("idle", &session.server.memory()?);
    Ok(())
}

/// Of each kind, what one holds that waits for its function, and one whose function has run and rests.
pub fn sandboxes(session: &mut Session<'_>) -> anyhow::Result<()> {
    for kind in session.kinds {
        let names: Vec<String> =
            (0..FUNCTIONS).map(|number| format!("memory-{}-{number}", kind.slug)).collect();
        names.iter().try_for_each(|name| session.api.create(name, kind).map(drop))?;
        session.server.settle()?;
        // Those of other kinds may still wait, too. One that runs nothing waits for a program of the function's own.
        let is_of_kind = |sandbox: &Sandbox| match &sandbox.program {
            Some(program) => program.starts_with(kind.slug),
            None => kind.slug == "rust",
        };
        let sandboxes = session.server.sandboxes()?.into_iter();
        let waiting = sandboxes.filter(|sandbox| !sandbox.has_function && is_of_kind(sandbox));
        session.report.mean_memory(&format!("memory of a sandbox that waits, {}", kind.name), waiting);
        names.iter().try_for_each(|name| session.api.invoke(name, EVENT).map(drop))?;
        session.server.settle()?;
        let resting = session.server.sandboxes()?.into_iter().filter(|sandbox| sandbox.has_function);
        session.report.mean_memory(&format!("memory of an idle environment, {}", kind.name), resting);
        names.iter().try_for_each(|name| session.api.delete(name))?;
    }
    Ok(())
}

/// Whether something stays behind.
pub fn after_many_invocations(session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = "many-invocations";
    session.api.create(name, session.kind("rust"))?;
    let request = session.api.invocation(name, EVENT);
    for (after, count) in [(INVOCATIONS / 2, INVOCATIONS / 2), (INVOCATIONS, INVOCATIONS / 2)] {
        drive(session.api.address(), IN_FLIGHT, &Plan::Count { request: &request, count })?;
        session.report.memory(&format!("after {after} invocations"), &session.server.memory()?);
    }
    session.api.delete(name)
}
