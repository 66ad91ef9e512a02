//! One sandbox, seen from the server.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;

use crate::cgroup::{Controls, Knobs};
use crate::message::{Fd, InitRequest};
use crate::net::{NetFd, NetSockets, Network, SandboxId, Services, serve};
use crate::process::{Dialer, Init, Process};
use crate::{Command, Error, Limits, Sandboxes, Specialisation, Stats};

/// All namespaces, cgroups and an init of their own. Destroyed when dropped; [`Sandbox::destroy`] waits for it.
///
/// Limits, freezing and statistics are a few microseconds of system calls: they are not async.
#[derive(Debug)]
pub struct Sandbox {
    id: u64,
    sandboxes: Sandboxes,
    init: Arc<Init>,
    controls: Controls,
    runtime_api: Arc<TcpListener>,
    _services: Services,
    destroyed: AtomicBool,
}

impl Sandbox {
    pub(crate) fn assemble(
        sandboxes: Sandboxes,
        id: u64,
        kinds: Vec<Fd>,
        fds: Vec<OwnedFd>,
        network: &Network,
    ) -> Result<Self, Error> {
        let parts = Parts::sort(kinds, fds)?;
        let sockets = NetSockets::from_fds(parts.sockets).map_err(Error::io("receive a sandbox"))?;
        let served =
            serve(network, SandboxId(id), sockets).map_err(Error::io("serve a sandbox's network"))?;
        Ok(Self {
            id,
            sandboxes,
            init: Init::new(parts.init).map_err(Error::io("register a sandbox's init"))?,
            controls: Controls::new(parts.knobs),
            runtime_api: Arc::new(served.runtime_api),
            _services: served.services,
            destroyed: AtomicBool::new(false),
        })
    }

    /// Which sandbox it is, for as long as the server runs.
    pub fn id(&self) -> SandboxId {
        SandboxId(self.id)
    }

    /// Makes it a function's: limits, `/tmp` resized, code at `/var/task`, layers at `/opt`; what was used before does
    /// not count. Once.
    pub async fn specialise(&self, to: Specialisation) -> Result<(), Error> {
        self.set_limits(&to.limits)?;
        self.reset_memory_max()?;
        self.sandboxes.specialise(self.id, &to.task, to.opt.as_deref(), to.tmp_mib).await
    }

    /// Starts a program as the sandbox's unprivileged user: stdin empty, descriptor 3 the control socket.
    pub async fn start(&self, command: Command) -> Result<Process, Error> {
        self.thaw()?;
        self.init.start(command).await
    }

    /// The Runtime API's listener, at 169.254.100.1:9001 inside.
    pub fn runtime_api(&self) -> Arc<TcpListener> {
        Arc::clone(&self.runtime_api)
    }

    /// What connects to the sandbox's own listeners. Nothing happens while the sandbox is frozen.
    pub fn dialer(&self) -> Dialer {
        Dialer(Arc::clone(&self.init))
    }

    /// Changes the limits; in force at once. Memory cannot be lowered below what is in use.
    pub fn set_limits(&self, limits: &Limits) -> Result<(), Error> {
        crate::message::check_limits(limits).map_err(Error::Refused)?;
        self.controls.set_limits(limits).map_err(Error::io("limit a sandbox"))
    }

    /// Stops every process of the sandbox where it is.
    pub fn freeze(&self) -> Result<(), Error> {
        self.controls.freeze().map_err(Error::io("freeze a sandbox"))
    }

    /// Lets a frozen sandbox go on.
    pub fn thaw(&self) -> Result<(), Error> {
        self.controls.thaw().map_err(Error::io("thaw a sandbox"))
    }

    /// What it uses and has used.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.controls.stats().map_err(Error::io("read a sandbox's statistics"))
    }

    /// Processor time used by all its processes, where the kernel counts it.
    pub fn cpu_time(&self) -> Result<Option<std::time::Duration>, Error> {
        self.controls.cpu_time().map_err(Error::io("read a sandbox's statistics"))
    }

    /// How much of [`Stats::memory_bytes`] is copies of files, which the kernel drops before it kills.
    pub fn file_cache_bytes(&self) -> Result<u64, Error> {
        self.controls.file_cache_bytes().map_err(Error::io("read a sandbox's statistics"))
    }

    /// Starts [`Stats::memory_bytes_max`] afresh, where the kernel can.
    pub fn reset_memory_max(&self) -> Result<(), Error> {
        self.controls.reset_memory_max().map_err(Error::io("reset a sandbox's memory maximum"))
    }

    /// Kills every process but the init and waits until they are gone; `/tmp` stays. For a reset after a crash.
    pub async fn kill_processes(&self) -> Result<(), Error> {
        self.thaw()?;
        self.init.request(&InitRequest::KillAll).await
    }

    /// Ends it and waits until no process, cgroup, mount or descriptor of it is left.
    pub async fn destroy(self) -> Result<(), Error> {
        self.destroyed.store(true, Ordering::Relaxed);
        let (sandboxes, id) = (self.sandboxes.clone(), self.id);
        // A task of its own: it must happen even when the caller stops waiting.
        tokio::spawn(async move { sandboxes.destroy(id).await }).await.unwrap_or(Err(Error::LauncherGone))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.init.close();
        if !self.destroyed.load(Ordering::Relaxed) {
            self.sandboxes.destroy_later(self.id);
        }
    }
}

/// The descriptors of a new sandbox by what they are.
struct Parts {
    init: OwnedFd,
    knobs: Knobs,
    sockets: Vec<(NetFd, OwnedFd)>,
}

impl Parts {
    fn sort(kinds: Vec<Fd>, fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let mixed_up = || Error::Refused("the launcher's descriptors do not match its message".into());
        if kinds.len() != fds.len() {
            return Err(mixed_up());
        }
        let (mut init, mut knobs, mut sockets) = (None, Knobs::default(), Vec::new());
        for (kind, fd) in kinds.into_iter().zip(fds) {
            match kind {
                Fd::Init => init = Some(fd),
                Fd::Knob(knob) => knobs.insert(knob, fd),
                Fd::Net(kind) => sockets.push((kind, fd)),
            }
        }
        Ok(Self { init: init.ok_or_else(mixed_up)?, knobs, sockets })
    }
}

impl Specialisation {
    /// Code alone, no layers.
    pub fn of(task: impl AsRef<Path>, tmp_mib: u32, limits: Limits) -> Self {
        Self { task: task.as_ref().to_owned(), opt: None, tmp_mib, limits }
    }
}
