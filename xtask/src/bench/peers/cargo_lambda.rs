//! cargo-lambda, from PyPI: one Rust function, compiled from its sources and kept running.

use std::path::Path;
use std::process::Command;

use super::ministack::install;
use super::program::{Program, free_address};
use super::{Functions, Peer};
use crate::bench::function::Kind;

const VERSION: &str = "cargo-lambda==1.9.2";
/// The package's binary, by which it is invoked.
const FUNCTION: &str = "bootstrap";

pub fn start(root: &Path, home: &Path, _kinds: &[Kind]) -> anyhow::Result<Peer> {
    let at = home.join("cargo-lambda");
    install(&at, &[VERSION])?;
    let address = free_address()?;
    let mut command = Command::new(at.join("bin/cargo-lambda"));
    command
        .current_dir(root.join("tests/e2e/functions/rust"))
        .args(["lambda", "watch", "--release", "--ignore-changes", "--wait"])
        .args(["--invoke-address", &address.ip().to_string(), "--invoke-port", &address.port().to_string()])
        .env("CARGO_TARGET_DIR", root.join("target/test-env/rust"));
    let program = Program::start(&mut command, &at.join("log"), address)?;
    // What it compiles at the first invocation is no cold start: it has none to compare.
    let functions = vec![Functions { slug: "rust", warm: FUNCTION.to_owned(), cold: Vec::new() }];
    Ok(Peer { name: "cargo-lambda", address, functions, _running: Box::new(program) })
}
