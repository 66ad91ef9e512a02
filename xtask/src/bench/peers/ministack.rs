//! MiniStack, from PyPI: the same API, functions as local processes that are kept warm.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::program::{Program, free_address};
use super::{Peer, create_all};
use crate::bench::function::Kind;
use crate::run::{run_quietly, run_twice};

const VERSION: &str = "ministack==1.5.33";

pub fn start(_root: &Path, home: &Path, kinds: &[Kind]) -> anyhow::Result<Peer> {
    let (program, address) = run(home)?;
    Ok(Peer {
        name: "MiniStack",
        address,
        functions: create_all(address, kinds)?,
        _running: Box::new(program),
    })
}

pub(super) fn run(home: &Path) -> anyhow::Result<(Program, SocketAddr)> {
    let at = home.join("ministack");
    install(&at, &[VERSION])?;
    let address = free_address()?;
    let mut command = Command::new(at.join("bin/ministack"));
    command
        .current_dir(&at)
        .env("GATEWAY_PORT", address.port().to_string())
        .env("BIND_HOST", address.ip().to_string())
        .env("LOG_LEVEL", "WARNING");
    Ok((Program::start(&mut command, &at.join("log"), address)?, address))
}

/// Python packages in an environment of their own, once.
pub(super) fn install(at: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let (done, wanted) = (at.join("installed"), packages.join("\n"));
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(at))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run_twice(Command::new(at.join("bin/python")).args(pip).args(packages))?;
    Ok(std::fs::write(done, wanted)?)
}
