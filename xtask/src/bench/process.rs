//! The server under measurement: its start, its processes' memory, its end.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::http::{Connection, request};

/// A first start installs what the runtimes need.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that keeps nothing.
pub struct Process {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
}

/// What one of the server's own processes holds.
pub struct Memory {
    pub name: &'static str,
    pub pss_kib: u64,
    pub rss_kib: u64,
}

impl Process {
    /// Starts it on a free port, and waits until its health answers.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["up", "--ephemeral", "--listen", &address.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let health = request(address, "GET", "/_hearth/health", &[], &[]);
        loop {
            // Its socket listens before it is ready: the answer comes as soon as there is one.
            match Connection::open(address).and_then(|mut connection| connection.exchange(&health)) {
                Ok(head) if head.status == 200 => break,
                Ok(head) => bail!("health answered {}", head.status),
                Err(_) if started.elapsed() < START_TIMEOUT => pause(),
                Err(error) => return Err(error.context("the server does not get ready")),
            }
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}");
            }
        }
        Ok(Self { child, address, ready_after: started.elapsed() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the start of the process to the first answer.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The server's memory and the launcher's; sandboxes are not counted.
    pub fn memory(&self) -> anyhow::Result<Vec<Memory>> {
        let server = self.child.id();
        let mut found = vec![memory_of("server", server)?];
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"))?;
        for child in children.split_whitespace() {
            found.push(memory_of("launcher", child.parse()?)?);
        }
        Ok(found)
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().context("start kill")?;
        ensure!(status.success(), "kill ended with {status}");
        let ended = self.child.wait()?;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an error; a stopped one is not there any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing tells when another process begins to listen.
#[expect(clippy::disallowed_methods)]
fn pause() {
    std::thread::sleep(Duration::from_micros(200));
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn memory_of(name: &'static str, pid: u32) -> anyhow::Result<Memory> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&file).with_context(|| format!("read {file}"))?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("{file} has no {key}"))
    };
    Ok(Memory { name, pss_kib: value("Pss:")?, rss_kib: value("Rss:")? })
}
