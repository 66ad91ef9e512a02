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
/// The pool makes one after the other; longer without a new one means that it has enough.
const QUIET: Duration = Duration::from_millis(600);
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Between looks.
const PAUSE: Duration = Duration::from_micros(200);

/// A server.
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

/// One sandbox.
pub struct Sandbox {
    pub pss_kib: u64,
    /// Whether it is some function's already.
    pub has_function: bool,
    /// The name of what runs in it, if something does.
    pub program: Option<String>,
}

impl Process {
    /// Starts one that keeps nothing.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        Self::start_with(binary, |command| {
            command.arg("--ephemeral");
        })
    }

    /// Starts it on a free port, and waits until its health answers.
    pub fn start_with(binary: &Path, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let address = free_address()?;
        let started = Instant::now();
        let mut command = Command::new(binary);
        command.args(["up", "--listen", &address.to_string()]);
        arguments(&mut command);
        let mut child = command
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
                Err(_) if started.elapsed() < START_TIMEOUT => pause(PAUSE),
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
        for child in children(server) {
            found.push(memory_of("launcher", child)?);
        }
        Ok(found)
    }

    /// What its sandboxes hold: each with its init, and with everything that runs in it.
    pub fn sandboxes(&self) -> anyhow::Result<Vec<Sandbox>> {
        let mut found = Vec::new();
        for launcher in children(self.child.id()) {
            for init in children(launcher) {
                let inside = children(init);
                // What ends meanwhile is not counted.
                let pss = |pid: &u32| memory_of("sandbox", *pid).map_or(0, |memory| memory.pss_kib);
                let works = |pid: &u32| {
                    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.ends_with("var/task"))
                };
                found.push(Sandbox {
                    pss_kib: pss(&init) + inside.iter().map(pss).sum::<u64>(),
                    has_function: inside.iter().any(works),
                    program: inside
                        .first()
                        .and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok()),
                });
            }
        }
        Ok(found)
    }

    /// Waits until nothing is made ahead of time any more.
    pub fn settle(&self) -> anyhow::Result<()> {
        let count = || -> usize {
            let inits = children(self.child.id()).into_iter().flat_map(children);
            inits.map(|init| 1 + children(init).len()).sum()
        };
        let (started, mut last, mut since) = (Instant::now(), count(), Instant::now());
        while since.elapsed() < QUIET {
            ensure!(started.elapsed() < SETTLE_TIMEOUT, "sandboxes come and go for {SETTLE_TIMEOUT:?}");
            pause(PAUSE);
            let now = count();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
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

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Nothing tells when another process begins to listen, or a server has done what it was given.
#[expect(clippy::disallowed_methods)]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
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
