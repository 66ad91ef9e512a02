//! Process 1 of a sandbox: sets it up from inside, then starts and reaps processes until the server lets go.
//!
//! It keeps three capabilities over the sandbox's own ids (to change to the function's user, and to signal it),
//! is not dumpable, and has a user id of its own: the function can neither trace nor signal it.

use std::collections::HashMap;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::sock_filter;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus};
use rustix::thread::CapabilitySet;

use super::users::Rights;
use super::{exec, mounts, sys};
use crate::base::{GID, HOSTNAME, UID};
use crate::channel;
use crate::message::{self, InitReply, InitRequest};
use crate::net::{self, NetFd, NetSpec};
use crate::spec::Exit;

/// Above the server's own score, so that a machine out of memory kills functions first.
const OOM_SCORE: &str = "500";

/// Everything a sandbox's init needs, opened by the launcher before the clone.
pub(super) struct Plan<'a> {
    pub(super) rights: Rights,
    /// `tasks` of the v1 groups to join.
    pub(super) tasks: &'a [OwnedFd],
    pub(super) tmp: &'a OwnedFd,
    pub(super) user: &'a OwnedFd,
    pub(super) filter: &'a [sock_filter],
    pub(super) net: NetSpec,
    /// Tells the launcher how the set-up went.
    pub(super) set_up: &'a OwnedFd,
    /// The server's requests.
    pub(super) requests: &'a OwnedFd,
    /// A limit on processes, where no cgroup has one.
    pub(super) processes_max: Option<u64>,
}

/// What the set-up hands to the launcher, in this order, before the network's sockets.
pub(super) struct Inside {
    pub(super) mounts: OwnedFd,
    pub(super) task: OwnedFd,
    pub(super) opt: OwnedFd,
    pub(super) sockets: Vec<(NetFd, OwnedFd)>,
}

/// The set-up's report: what its network descriptors are, or why it failed.
type Report = Result<Vec<NetFd>, String>;

pub(super) fn run(plan: &Plan<'_>) -> c_int {
    let (report, inside) = match set_up(plan) {
        Ok(inside) => (Ok(inside.sockets.iter().map(|(kind, _)| *kind).collect()), Some(inside)),
        Err(error) => (Err(error), None),
    };
    let failed = report.is_err();
    let fds: Vec<BorrowedFd<'_>> = inside.iter().flat_map(Inside::fds).collect();
    let report: Report = report;
    let sent = channel::send(plan.set_up, &message::encode(0, &report), &fds, SendFlags::empty());
    if failed || sent.is_err() {
        return 1;
    }
    match keep_only(plan.requests) {
        Ok((requests, null)) => {
            Server { requests, null, processes_max: plan.processes_max, running: HashMap::new() }.serve()
        }
        Err(_) => 1,
    }
}

impl Inside {
    fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let own = [self.mounts.as_fd(), self.task.as_fd(), self.opt.as_fd()];
        own.into_iter().chain(self.sockets.iter().map(|(_, fd)| fd.as_fd()))
    }

    /// Puts together what the init sent.
    pub(super) fn receive(from: &OwnedFd) -> Result<Self, String> {
        let packet = channel::receive(from, RecvFlags::DONTWAIT)
            .map_err(|error| format!("hear of a sandbox: {error}"))?;
        let packet = packet.ok_or("a sandbox died while it was made")?;
        let (_, report) = message::decode::<Report>(&packet.bytes).map_err(|error| error.to_string())?;
        let (kinds, mut fds) = (report?, packet.fds.into_iter());
        let mut next = || fds.next().ok_or("a sandbox's descriptors got lost");
        let (mounts, task, opt) = (next()?, next()?, next()?);
        Ok(Self { mounts, task, opt, sockets: kinds.into_iter().zip(fds).collect() })
    }
}

/// The order is not free: what needs rights over the machine comes before the user namespace, which comes last.
fn set_up(plan: &Plan<'_>) -> Result<Inside, String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    for tasks in plan.tasks {
        // `cgroup.procs` would take a lock of the whole machine; a process with one thread can do without.
        rustix::io::write(tasks, b"0").map_err(|error| step("join a cgroup")(error.into()))?;
    }
    mount_own(plan.tmp).map_err(step("mount a sandbox's own file systems"))?;
    rustix::system::sethostname(HOSTNAME.as_bytes())
        .map_err(|error| step("set the host name")(error.into()))?;
    let sockets = net::set_up(&plan.net).map_err(step("set up a sandbox's network"))?.into_fds();
    let open = |path: &str, flags: OFlags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
    let place = OFlags::PATH | OFlags::DIRECTORY;
    let mounts = open("/proc/self/ns/mnt", OFlags::RDONLY)
        .map_err(|error| step("open the mount namespace")(error.into()))?;
    let task = open("/var/task", place).map_err(|error| step("open /var/task")(error.into()))?;
    let opt = open("/opt", place).map_err(|error| step("open /opt")(error.into()))?;
    // Only a preference among victims: a machine that refuses it loses nothing else.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    drop_rights(plan).map_err(step("give up rights"))?;
    Ok(Inside { mounts, task, opt, sockets })
}

fn mount_own(tmp: &OwnedFd) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mounts::attach_at(&mounts::proc()?, "/proc")?;
    mounts::attach_at(tmp, "/tmp")
}

/// Joins the sandbox's user namespace and keeps only what starting and ending processes takes.
fn drop_rights(plan: &Plan<'_>) -> io::Result<()> {
    sys::join_user(plan.user)?;
    let (uid, gid) = match plan.rights {
        Rights::Root { .. } => {
            rustix::thread::set_thread_groups(&[])?;
            (0, 0)
        }
        // One id is all there is, and groups cannot be given up.
        Rights::Rootless => (UID, GID),
    };
    exec::become_user(uid, gid)?;
    rustix::thread::set_no_new_privs(true)?;
    sys::install_filter(plan.filter)?;
    sys::keep_capabilities(CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // Changing ids has cleared it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(rustix::process::setsid().map(drop)?)
}

/// Closes everything but the server's socket, and opens the sandbox's null device at 0 to 2.
fn keep_only(requests: &OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    const FIRST_FREE: c_int = 16;
    let requests = rustix::io::fcntl_dupfd_cloexec(requests, FIRST_FREE)?;
    let opened = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let null = rustix::io::fcntl_dupfd_cloexec(&opened, FIRST_FREE)?;
    (0..3).try_for_each(|standard| sys::place(null.as_fd(), standard))?;
    // Moved to the lowest numbers, so that the rest can be closed in one call.
    sys::place(requests.as_fd(), 3)?;
    sys::place(null.as_fd(), 4)?;
    std::mem::forget((requests, opened, null));
    sys::close_from(5, false)?;
    Ok((sys::own(3), sys::own(4)))
}

struct Server {
    requests: OwnedFd,
    null: OwnedFd,
    processes_max: Option<u64>,
    /// The ids under which the server knows its processes.
    running: HashMap<Pid, u64>,
}

impl Server {
    /// Ends when the server closes its socket; the kernel then ends everything else in here.
    fn serve(mut self) -> c_int {
        let Ok(ended) = sys::take_signals(&[libc::SIGCHLD]) else { return 1 };
        loop {
            let mut waits = [PollFd::new(&self.requests, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
            match poll(&mut waits, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return 1,
            }
            let (asked, reap) = (!waits[0].revents().is_empty(), !waits[1].revents().is_empty());
            if reap {
                // What is said there does not matter: one signal may stand for several.
                let _ = rustix::io::read(&ended, &mut [0u8; 1024]);
                self.reap(WaitOptions::NOHANG);
            }
            if asked && !self.answer() {
                return 0;
            }
        }
    }

    /// Answers one request; false at the end.
    fn answer(&mut self) -> bool {
        let packet = match channel::receive(&self.requests, RecvFlags::DONTWAIT) {
            Ok(Some(packet)) => packet,
            Ok(None) => return false,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let (id, request) = match message::decode::<InitRequest>(&packet.bytes) {
            Ok(decoded) => decoded,
            Err(error) => {
                return self.say(0, &InitReply::Failed { step: error.to_string(), errno: libc::EINVAL });
            }
        };
        let reply = match request {
            InitRequest::Start(command) => match exec::start(&self.environment(id), &command, packet.fds) {
                Ok(pid) => {
                    self.running.insert(pid, id);
                    InitReply::Started { pid: pid.as_raw_nonzero().get() }
                }
                Err((step, error)) => failed(&step, &error),
            },
            InitRequest::KillAll => match self.kill_all() {
                Ok(()) => InitReply::Done,
                Err(error) => failed("kill all processes", &error),
            },
            InitRequest::Signal { process, signal } => match self.signal(process, signal) {
                Ok(()) => InitReply::Done,
                Err(error) => failed("signal a process", &error),
            },
            InitRequest::Socket => match net::unconnected() {
                Ok(socket) => {
                    let message = message::encode(id, &InitReply::Socket);
                    let sent = channel::send(&self.requests, &message, &[socket.as_fd()], SendFlags::empty());
                    return sent.is_ok();
                }
                Err(error) => failed("make a socket", &error),
            },
        };
        self.say(id, &reply)
    }

    fn environment(&self, id: u64) -> exec::Environment<'_> {
        exec::Environment { id, null: &self.null, reports: &self.requests, processes_max: self.processes_max }
    }

    fn kill_all(&mut self) -> io::Result<()> {
        match sys::kill_everyone() {
            // There was nobody.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            result => result?,
        }
        self.reap(WaitOptions::empty());
        Ok(())
    }

    fn signal(&self, process: u64, signal: i32) -> io::Result<()> {
        let pid = self.running.iter().find(|(_, id)| **id == process).map(|(pid, _)| *pid);
        pid.map_or(Ok(()), |pid| sys::kill(pid, signal))
    }

    /// Reaps what has ended, or with no options everything there is; reports what the server started.
    fn reap(&mut self, options: WaitOptions) {
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) => {
                    if let Some(id) = self.running.remove(&pid) {
                        self.say(id, &InitReply::Exited(exit_of(status)));
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn say(&self, id: u64, reply: &InitReply) -> bool {
        channel::send(&self.requests, &message::encode(id, reply), &[], SendFlags::empty()).is_ok()
    }
}

fn failed(step: &str, error: &io::Error) -> InitReply {
    InitReply::Failed { step: step.into(), errno: error.raw_os_error().unwrap_or(libc::EIO) }
}

fn exit_of(status: WaitStatus) -> Exit {
    match status.terminating_signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.exit_status().unwrap_or(0)),
    }
}
