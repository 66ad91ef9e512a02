//! What is measured, one line each.

mod asynchronous;
mod cold;
mod memory;
mod objects;
mod payload;
mod queues;
mod rules;
mod starts;
mod triggers;
mod warm;

use std::path::Path;

pub use objects::measure as measure_objects;
pub use queues::measure as measure_queue;
pub use triggers::{Measured, measure as measure_triggers};

use super::function::{Api, Kind};
use super::process::Process;
use super::report::Report;

/// Adds rows to the session's report.
type Measure = fn(&mut Session<'_>) -> anyhow::Result<()>;

/// A name, by which `--only` finds it, and what fills in its rows. In this order: the first ones want a server that has
/// done nothing yet.
pub const MEASURES: &[(&str, Measure)] = &[
    ("starts", starts::starts),
    ("memory, idle", memory::idle),
    ("memory, sandboxes", memory::sandboxes),
    ("cold, one after the other", cold::one_after_the_other),
    ("burst", cold::burst),
    ("cold, 500 functions", cold::many_functions),
    ("warm, one after the other", warm::one_after_the_other),
    ("warm, in flight", warm::in_flight),
    ("warm, open loop", warm::open_loop),
    ("payload", payload::six_megabytes),
    ("streaming", payload::first_byte),
    ("asynchronous", asynchronous::events),
    ("queues", queues::queues),
    ("objects", objects::objects),
    ("triggers", triggers::triggers),
    ("rules", rules::rules),
    ("memory, 100,000 invocations", memory::after_many_invocations),
];

/// A server, and what is known of it so far.
pub struct Session<'k> {
    pub root: &'k Path,
    pub binary: &'k Path,
    pub kinds: &'k [Kind],
    pub server: Process,
    pub api: Api,
    pub report: Report,
}

impl<'k> Session<'k> {
    pub fn start(root: &'k Path, binary: &'k Path, kinds: &'k [Kind]) -> anyhow::Result<Self> {
        // The first start of a machine installs SDKs and asks every interpreter for its version.
        Process::start(binary)?.stop()?;
        let server = Process::start(binary)?;
        let mut api = Api::connect(server.address())?;
        api.create_role()?;
        Ok(Self { root, binary, kinds, server, api, report: Report::new() })
    }

    pub fn stop(self) -> anyhow::Result<Report> {
        self.server.stop()?;
        Ok(self.report)
    }

    pub fn kind(&self, slug: &str) -> &'k Kind {
        self.kinds.iter().find(|kind| kind.slug == slug).expect("the kinds are fixed")
    }
}
