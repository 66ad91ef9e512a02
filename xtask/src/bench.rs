//! `cargo xtask bench`: the project's figures, as a client on this machine sees them, and those of its peers.
//!
//! Everything is timed here, in Rust, over plain HTTP on loopback: no SDK and no scripting language stands between the
//! clock and the server. Every function has 1,769 MB, which is one processor. A new row is a function in `measures` and
//! a line in its table.

mod answer;
mod aws;
mod function;
mod heard;
mod http;
mod load;
mod measures;
mod peers;
mod process;
mod report;
mod spread;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use crate::run::{cargo, run, step};
use function::Kind;
use measures::{MEASURES, Session};
use report::Report;

/// Measure the release build: starts, cold and warm invocations, bursts, memory; or the peers beside it.
#[derive(Args)]
pub struct Bench {
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Only measures whose names contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Install and start what else runs functions here, and run the same work against each, by turns
    #[arg(long)]
    peers: bool,
}

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
        let report = if self.peers {
            peers::compare(root, &binary, &kinds, &|name| self.wants(name))?
        } else {
            self.measure(root, &binary, &kinds)?
        };
        println!("{}", report.table());
        println!(
            "end to end at the HTTP client, everything on loopback, {:.0} s",
            started.elapsed().as_secs_f64()
        );
        if let Some(file) = &self.json {
            std::fs::write(file, report.json()).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    fn measure(&self, root: &Path, binary: &Path, kinds: &[Kind]) -> anyhow::Result<Report> {
        let mut session = Session::start(root, binary, kinds)?;
        for (name, measure) in MEASURES.iter().filter(|(name, _)| self.wants(name)) {
            step(&format!("measuring: {name}"));
            measure(&mut session).with_context(|| format!("measure: {name}"))?;
        }
        session.stop()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}
