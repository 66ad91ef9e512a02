//! A peer's process: started with its own process group, and ended with everything that it started.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::bench::process::pause;

/// Peers start slowly; one compiles a function first.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Between looks whether it listens.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Program(Child);

impl Program {
    /// Starts it, with what it says in a file, and waits until something listens at the address.
    pub fn start(command: &mut Command, log: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("make {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let mut program =
            Self(command.spawn().with_context(|| format!("start {:?}", command.get_program()))?);
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = program.0.try_wait()? {
                bail!("it ended with {status}; {} says why", log.display());
            }
            if started.elapsed() > START_TIMEOUT {
                bail!("nothing listens at {address} after {START_TIMEOUT:?}; {} may say why", log.display());
            }
            pause(PAUSE);
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // It leads a group of its own; what it started is in there.
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// An address on loopback that is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
