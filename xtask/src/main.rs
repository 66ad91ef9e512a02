//! Automation for this repository.

mod codegen;

use std::path::Path;

use clap::Parser;

/// Everything around the build: `cargo xtask <command>`.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Generate each service's shapes from its model.
    Codegen(codegen::Codegen),
}

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace");
    match Task::parse() {
        Task::Codegen(codegen) => codegen.run(root),
    }
}
