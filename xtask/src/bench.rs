//! `cargo xtask bench`: the figures of a closing note, as a client on this machine sees them.
//!
//! Everything is timed here, in Rust, over plain HTTP on loopback: no scripting language stands between the clock
//! and the server. Every function has 1,769 MB, which is one processor.

mod function;
mod http;
mod load;
mod process;
mod report;
mod spread;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use crate::run::{cargo, run, step};
use function::{Api, Kind};
use process::Process;
use report::Report;
use spread::Spread;

/// Measure the release build: time to ready, memory, cold and warm invocations.
#[derive(Args)]
pub struct Bench {
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Starts of which the median is taken.
const STARTS: usize = 7;
/// Functions of each kind that are invoked once each.
const COLD_FUNCTIONS: usize = 30;
/// Warm invocations, one after the other.
const SEQUENTIAL_CALLS: usize = 2000;
/// Invocations at a time under load.
const IN_FLIGHT: usize = 16;
/// How long the load lasts.
const LOAD_SPAN: Duration = Duration::from_secs(4);
/// What every measured invocation sends and gets back.
const EVENT: &[u8] = br#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#;

impl Bench {
    pub fn run(&self, root: &Path) -> anyhow::Result<()> {
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => {
                step("building hearth, as a user does");
                run(cargo(root).args(["build", "--release"]))?;
                root.join("target/release/hearth")
            }
        };
        let bootstrap = crate::test::build_rust_function(root)?;
        let kinds = Kind::all(root, &bootstrap)?;

        let started = Instant::now();
        let mut report = Report::new();
        step("measuring: starts");
        measure_starts(&binary, &mut report)?;
        let server = Process::start(&binary)?;
        report.memory("idle", &server.memory()?);
        let mut api = Api::connect(server.address())?;
        api.create_role()?;
        for kind in &kinds {
            step(&format!("measuring: {}", kind.name));
            measure_cold(&mut api, kind, &mut report)?;
            measure_warm(&mut api, kind, &mut report)?;
        }
        report.memory("after the load", &server.memory()?);

        println!("{}", report.table());
        println!(
            "end to end at the HTTP client, everything on loopback, {:.0} s",
            started.elapsed().as_secs_f64()
        );
        if let Some(file) = &self.json {
            std::fs::write(file, report.json()).with_context(|| format!("write {}", file.display()))?;
        }
        server.stop()
    }
}

fn measure_starts(binary: &Path, report: &mut Report) -> anyhow::Result<()> {
    // The first start of a machine installs SDKs and asks every interpreter for its version.
    Process::start(binary)?.stop()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let server = Process::start(binary)?;
        times.push(server.ready_after());
        server.stop()?;
    }
    report.spread("time to ready", &Spread::of(times));
    Ok(())
}

/// Functions that never ran, once each: created first, so that only the invocation is timed.
fn measure_cold(api: &mut Api, kind: &Kind, report: &mut Report) -> anyhow::Result<()> {
    let names: Vec<String> =
        (0..COLD_FUNCTIONS).map(|number| format!("cold-{}-{number}", kind.slug)).collect();
    let creations = names.iter().map(|name| api.create(name, kind)).collect::<anyhow::Result<Vec<_>>>()?;
    report.spread(&format!("create → Active, {}", kind.name), &Spread::of(creations));
    let mut times = Vec::new();
    for name in &names {
        times.push(api.invoke(name, EVENT)?);
    }
    for name in &names {
        api.delete(name)?;
    }
    report.spread(&format!("cold invoke, {}", kind.name), &Spread::of(times));
    Ok(())
}

fn measure_warm(api: &mut Api, kind: &Kind, report: &mut Report) -> anyhow::Result<()> {
    let name = format!("warm-{}", kind.slug);
    api.create(&name, kind)?;
    let request = api.invocation(&name, EVENT);
    load::sequential(api.address(), &request, SEQUENTIAL_CALLS / 10)?;
    let times = load::sequential(api.address(), &request, SEQUENTIAL_CALLS)?;
    report.spread(&format!("warm invoke, {}", kind.name), &Spread::of(times));

    load::closed_loop(api.address(), &request, IN_FLIGHT, LOAD_SPAN / 4)?;
    let under_load = load::closed_loop(api.address(), &request, IN_FLIGHT, LOAD_SPAN)?;
    let per_second = under_load.len() as f64 / LOAD_SPAN.as_secs_f64();
    let row = format!("warm invoke, {}, {IN_FLIGHT} in flight", kind.name);
    report.spread_with_rate(&row, &Spread::of(under_load), per_second);
    api.delete(&name)
}
