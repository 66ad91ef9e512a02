//! The same work against what else runs functions on this machine, by turns, in one table.
//!
//! All of them answer at the path of AWS's Invoke API, so the load generator is the same to the byte. Each round measures
//! one after the other, so that what the machine does meanwhile falls on all alike.

mod cargo_lambda;
mod ministack;
mod program;
mod queues;
mod serverless_offline;
mod triggers;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::function::{Api, EVENT, Kind};
use super::http::{Connection, request};
use super::load::{Plan, drive};
use super::process::Process;
use super::report::Report;
use super::spread::Spread;
use crate::run::step;

/// Rounds over all of them.
const ROUNDS: usize = 3;
/// One after the other, in each round; fewer when they take long.
const CALLS: usize = 300;
/// Long enough for a slow peer to answer some, too.
const SPAN: Duration = Duration::from_secs(3);
const IN_FLIGHT: usize = 16;
/// Functions of each kind that are invoked once each.
const COLD: usize = 10;
/// What is measured of one peer and one kind in a round may take so long; then it goes on with what it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs functions.
pub struct Peer {
    pub name: &'static str,
    pub address: SocketAddr,
    /// By kind: the name of a function that is kept warm, and of those that never ran.
    pub functions: Vec<Functions>,
    /// Ends it.
    pub _running: Box<dyn std::any::Any>,
}

/// What a peer has of a kind.
pub struct Functions {
    pub slug: &'static str,
    pub warm: String,
    pub cold: Vec<String>,
}

/// What was measured of one peer.
#[derive(Default)]
struct Figures {
    cold: Vec<Duration>,
    sequential: Vec<Duration>,
    under_load: Vec<Duration>,
    load_took: Duration,
}

/// Everything, or of `functions`, `queues` and `triggers` what is wanted.
pub fn compare(
    root: &Path,
    binary: &Path,
    kinds: &[Kind],
    wants: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Report> {
    let home = root.join("target/bench-peers");
    std::fs::create_dir_all(&home)?;
    let mut report = Report::new();
    if wants("functions") {
        functions(&mut report, root, binary, kinds, &home)?;
    }
    if wants("queues") {
        queues::compare(&mut report, binary, &home)?;
    }
    if wants("triggers") {
        triggers::compare(&mut report, root, binary, &home)?;
    }
    Ok(report)
}

fn functions(
    report: &mut Report,
    root: &Path,
    binary: &Path,
    kinds: &[Kind],
    home: &Path,
) -> anyhow::Result<()> {
    let mut peers = vec![hearth(binary, kinds)?];
    type Start = fn(&Path, &Path, &[Kind]) -> anyhow::Result<Peer>;
    let others: [(&str, Start); 3] = [
        ("MiniStack", ministack::start),
        ("serverless-offline", serverless_offline::start),
        ("cargo-lambda", cargo_lambda::start),
    ];
    for (name, start) in others {
        step(&format!("installing and starting {name}"));
        match start(root, home, kinds) {
            Ok(peer) => peers.push(peer),
            // The others are worth measuring all the same, and the table shows who is missing.
            Err(error) => eprintln!("{name} is left out: {error:#}"),
        }
    }
    for kind in kinds {
        let with = |peer: &Peer| peer.functions.iter().position(|functions| functions.slug == kind.slug);
        let mut taking_part: Vec<_> = peers
            .iter()
            .filter_map(|peer| Some((peer, &peer.functions[with(peer)?], Figures::default())))
            .filter(|(peer, functions, _)| match gives_back(peer, functions) {
                Ok(()) => true,
                Err(error) => {
                    eprintln!("{} is left out for {}: {error:#}", peer.name, kind.name);
                    false
                }
            })
            .collect();
        for round in 0..ROUNDS {
            step(&format!("measuring: {}, round {} of {ROUNDS}", kind.name, round + 1));
            for (peer, functions, figures) in &mut taking_part {
                figures.measure(peer, functions, round).with_context(|| format!("measure {}", peer.name))?;
            }
        }
        add_rows(report, kind, &taking_part);
    }
    Ok(())
}

/// Some peers answer a failure with status 200: what comes back must be what was sent.
fn gives_back(peer: &Peer, functions: &Functions) -> anyhow::Result<()> {
    let path = format!("/2015-03-31/functions/{}/invocations", functions.warm);
    let mut connection = Connection::open(peer.address)?;
    // More than once: one that works at first may not go on.
    for _ in 0..3 {
        connection.exchange(&request(peer.address, "POST", &path, &[], EVENT))?;
        let body = String::from_utf8_lossy(connection.body()).into_owned();
        ensure!(body.contains("value3") && !body.contains("errorMessage"), "it answered {body:.200}");
    }
    Ok(())
}

type Times = fn(&Figures) -> &Vec<Duration>;

/// Rows of one kind: every peer's figure, and how many times Hearth's it is.
fn add_rows(report: &mut Report, kind: &Kind, all: &[(&Peer, &Functions, Figures)]) {
    let own = |of: Times| {
        all.first()
            .map(|(_, _, figures)| of(figures))
            .filter(|times| !times.is_empty())
            .cloned()
            .map(Spread::of)
    };
    let views: [(&str, Times); 3] = [
        ("first invoke", |figures| &figures.cold),
        ("warm invoke", |figures| &figures.sequential),
        ("16 in flight", |figures| &figures.under_load),
    ];
    for (what, of) in views {
        let hearths = own(of).map(|spread| spread.percentile(50));
        for (peer, _, figures) in all {
            let times = of(figures);
            if times.is_empty() {
                continue;
            }
            let spread = Spread::of(times.clone());
            let rate = (what == "16 in flight")
                .then(|| times.len() as f64 / figures.load_took.as_secs_f64().max(f64::MIN_POSITIVE));
            let ratio = hearths.map(|own| spread.percentile(50).as_secs_f64() / own.as_secs_f64());
            report.compared(&format!("{what}, {}, {}", kind.name, peer.name), &spread, rate, ratio);
        }
    }
}

impl Figures {
    fn measure(&mut self, peer: &Peer, functions: &Functions, round: usize) -> anyhow::Result<()> {
        let invocation = |name: &str| {
            request(peer.address, "POST", &format!("/2015-03-31/functions/{name}/invocations"), &[], EVENT)
        };
        if round == 0 {
            for name in &functions.cold {
                let started = Instant::now();
                let head = Connection::open(peer.address)?.exchange(&invocation(name))?;
                self.cold.push(started.elapsed());
                ensure!(head.status == 200 && !head.function_error, "{name} answered {head:?}");
            }
        }
        let request = invocation(&functions.warm);
        let started = Instant::now();
        // The first may still have something to load or to compile.
        drive(peer.address, 1, &Plan::Count { request: &request, count: 3 })?;
        while self.sequential.len() < CALLS * (round + 1) && started.elapsed() < PATIENCE {
            let run = drive(peer.address, 1, &Plan::Count { request: &request, count: CALLS / 10 })?;
            self.sequential.extend(run.times);
        }
        drive(peer.address, IN_FLIGHT, &Plan::For { request: &request, span: SPAN / 3 })?;
        let run = drive(peer.address, IN_FLIGHT, &Plan::For { request: &request, span: SPAN })?;
        self.under_load.extend(run.times);
        self.load_took += run.took;
        Ok(())
    }
}

fn hearth(binary: &Path, kinds: &[Kind]) -> anyhow::Result<Peer> {
    Process::start(binary)?.stop()?;
    let server = Process::start(binary)?;
    let functions = create_all(server.address(), kinds)?;
    server.settle()?;
    Ok(Peer { name: "Hearth", address: server.address(), functions, _running: Box::new(server) })
}

/// Through the API, where a peer has one.
fn create_all(address: SocketAddr, kinds: &[Kind]) -> anyhow::Result<Vec<Functions>> {
    let mut api = Api::connect(address)?;
    api.create_role()?;
    let mut all = Vec::new();
    for kind in kinds {
        let warm = format!("warm-{}", kind.slug);
        let cold: Vec<String> = (0..COLD).map(|number| format!("cold-{}-{number}", kind.slug)).collect();
        for name in cold.iter().chain([&warm]) {
            api.create(name, kind)?;
        }
        all.push(Functions { slug: kind.slug, warm, cold });
    }
    Ok(all)
}
