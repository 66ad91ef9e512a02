//! Automation for this repository.

mod bench;
mod codegen;
mod install;
mod ric;
mod run;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

/// Everything around the build: `cargo xtask <command>`.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Measure the release build.
    Bench(bench::Bench),
    /// Generate each service's shapes from its model.
    Codegen(codegen::Codegen),
    /// Run the tests, and install what they need the first time.
    Test(test::Test),
    /// Check what a reviewer should not have to look for.
    Tidy(tidy::Tidy),
}

fn main() -> ExitCode {
    // Asked at run time: checkouts that share a target directory share this program, too.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&here).parent().expect("xtask is a folder of the workspace");
    let outcome = match Task::parse() {
        Task::Bench(bench) => bench.run(root),
        Task::Codegen(codegen) => codegen.run(root),
        Task::Test(test) => test.run(root),
        Task::Tidy(tidy) => tidy.run(root),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
