//! SQS beside the peers that have it: moto's server, from PyPI, and MiniStack. Both keep messages in memory; Hearth's are
//! on disk before they are acknowledged.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::ministack;
use super::program::{Program, free_address};
use crate::bench::measures::measure_queue;
use crate::bench::process::Process;
use crate::bench::report::Report;
use crate::run::step;

const MOTO: &str = "moto[server]==5.2.5";
/// Clients at a time.
const CLIENTS: [usize; 2] = [1, 16];
const SPAN: Duration = Duration::from_secs(3);
/// Messages that a client receives and deletes: few, for a slow peer.
const RECEIVED: usize = 50;

pub fn compare(report: &mut Report, binary: &Path, home: &Path) -> anyhow::Result<()> {
    let data = home.join("queues");
    let _ = std::fs::remove_dir_all(&data);
    let hearth = Process::start_with(binary, |command| {
        command.arg("--data-dir").arg(&data);
    })?;
    measure(report, "Hearth (durable)", hearth.address())?;
    hearth.stop()?;
    for (name, start) in [("moto", moto as fn(&Path) -> _), ("MiniStack", ministack::run)] {
        step(&format!("installing and starting {name}"));
        let measured = start(home).and_then(|(_running, address)| measure(report, name, address));
        if let Err(error) = measured {
            eprintln!("{name} is left out for queues: {error:#}");
        }
    }
    Ok(())
}

fn measure(report: &mut Report, name: &str, address: SocketAddr) -> anyhow::Result<()> {
    step(&format!("measuring: queues, {name}"));
    for clients in CLIENTS {
        let measured = measure_queue(address, clients, SPAN, RECEIVED)?;
        measured.add_rows(report, &format!("{name}, "), clients);
    }
    Ok(())
}

fn moto(home: &Path) -> anyhow::Result<(Program, SocketAddr)> {
    let at = home.join("moto");
    ministack::install(&at, &[MOTO])?;
    let address = free_address()?;
    let mut command = Command::new(at.join("bin/moto_server"));
    command.args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()]);
    Ok((Program::start(&mut command, &at.join("log"), address)?, address))
}
