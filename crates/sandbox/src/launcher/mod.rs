//! The privileged process: makes namespaces, mounts and cgroups from a spec, and nothing else.
//!
//! Single-threaded and small, so that cloning it is cheap and all privileged code can be read in one sitting:
//! this folder, `cgroup/` and `net/set_up.rs`. It is started before the server has a thread, believes nothing that
//! it has not checked, takes host paths only below directories it was told of at the start (a template's binds come
//! from the server's own catalogue), and ends with the server: when their socket closes, everything it made is
//! killed and removed. If it is killed itself, every sandbox dies by its parent-death signal.

mod create;
mod exec;
mod filter;
mod init;
mod mounts;
mod serve;
mod sys;
mod template;
mod users;
mod volumes;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, UnshareFlags};

use self::serve::Server;
use self::users::{Rights, Users};
use self::volumes::Volumes;
use crate::cgroup::Groups;
use crate::channel;
use crate::message::{self, Configure, Reply};
use crate::net::NetSpec;
use crate::spec::Grant;

/// What making sandboxes takes of root's rights; the rest is given up at the start.
const KEPT: CapabilitySet = CapabilitySet::SYS_ADMIN // namespaces and mounts
    .union(CapabilitySet::SYS_CHROOT) // joining a mount namespace
    .union(CapabilitySet::SETUID) // mapping ids into user namespaces
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP) // giving up more
    .union(CapabilitySet::MKNOD) // the devices of a template
    .union(CapabilitySet::NET_ADMIN) // a sandbox's own network namespace
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::DAC_OVERRIDE) // code that belongs to others, and cgroup files
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::KILL);

/// Becomes the launcher: never returns. For main, when the first argument is [`crate::LAUNCHER_ARGUMENT`], before
/// anything else.
pub fn launcher_main() -> ! {
    let status = match std::panic::catch_unwind(run) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            eprintln!("hearth: sandbox launcher: {error}");
            1
        }
        // The panic has been printed; every sandbox dies with this process.
        Err(_) => 101,
    };
    sys::exit(status)
}

fn run() -> Result<(), String> {
    let socket = take_socket()?;
    let ended = settle().map_err(|error| format!("settle: {error}"))?;
    let packet = channel::receive(&socket, RecvFlags::empty())
        .map_err(|error| format!("read the options: {error}"))?;
    let packet = packet.ok_or("standard input is not a server's socket")?;
    let (id, configure) = message::decode::<Configure>(&packet.bytes).map_err(|error| error.to_string())?;
    let (reply, prepared) = match prepare(configure) {
        Ok((reply, prepared)) => (reply, Ok(prepared)),
        Err(error) => (Reply::Failed(error.clone()), Err(error)),
    };
    channel::send(&socket, &message::encode(id, &reply), &[], SendFlags::empty())
        .map_err(|error| format!("answer the server: {error}"))?;
    // The server has been told why, and says it.
    let Ok(prepared) = prepared else { return Ok(()) };
    Server::new(socket, ended, prepared).run()
}

/// The server's socket is standard input; it moves to a number that is not passed on.
fn take_socket() -> Result<OwnedFd, String> {
    let describe = |error: rustix::io::Errno| format!("take the server's socket: {error}");
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3).map_err(describe)?;
    let null =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(describe)?;
    sys::place(null.as_fd(), 0).map_err(|error| format!("take the server's socket: {error}"))?;
    Ok(socket)
}

/// Away from the user's terminal and its signals; the server's death arrives as a signal to be read.
fn settle() -> std::io::Result<OwnedFd> {
    let ended = sys::take_signals(&[libc::SIGTERM])?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
        sys::ignore_signal(signal);
    }
    // Fails when it leads a process group already, and then it has no need.
    let _ = rustix::process::setsid();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let files = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    Ok(ended)
}

/// What the launcher has for its whole life.
struct Prepared {
    rights: Rights,
    nested: bool,
    home: OwnedFd,
    roots: Vec<OwnedFd>,
    users: Users,
    groups: Groups,
    limit_processes: bool,
    /// For `/tmp`; none where it has to be in memory.
    volumes: Option<Volumes>,
    filter: Vec<libc::sock_filter>,
    net: NetSpec,
}

fn prepare(configure: Configure) -> Result<(Reply, Prepared), String> {
    let rights = users::acquire(configure.uid_base, configure.sandboxes_max)?;
    sys::unshare(UnshareFlags::NEWNS).map_err(|error| format!("make a mount namespace: {error}"))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| format!("make mounts private: {error}"))?;
    let open = |path: &Path, flags| {
        rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("open {}: {error}", path.display()))
    };
    let home = open("/proc/self/ns/mnt".as_ref(), OFlags::RDONLY)?;
    let roots = configure.roots.iter().map(|root| open(root, OFlags::PATH | OFlags::DIRECTORY));
    let roots = roots.collect::<Result<_, _>>()?;
    let users = Users::new(rights, configure.sandboxes_max)
        .map_err(|error| format!("make a user namespace: {error}"))?;
    if matches!(rights, Rights::Root { .. }) {
        sys::keep_capabilities(KEPT).map_err(|error| format!("give up capabilities: {error}"))?;
    }
    let (volumes, storage) = storage(configure.storage.as_deref(), rights);
    let beside = (granted(rights), storage);
    let (groups, strength) = Groups::prepare(&configure.cgroup, rights == Rights::Rootless, beside);
    let prepared = Prepared {
        rights,
        nested: template::is_nested(),
        home,
        roots,
        users,
        groups,
        limit_processes: !strength.pids.is_enforced(),
        volumes,
        filter: filter::program(),
        net: NetSpec { endpoint_port: configure.endpoint_port, internet: configure.internet },
    };
    Ok((Reply::Ready(strength), prepared))
}

/// What `/tmp` is made from.
fn storage(directory: Option<&Path>, rights: Rights) -> (Option<Volumes>, Grant) {
    let missing = |why: String| {
        (None, Grant::Missing(format!("/tmp is in memory and counts towards the function's: {why}")))
    };
    let Some(directory) = directory else { return missing("no directory was given".into()) };
    if rights == Rights::Rootless {
        return missing("only root can mount a file system of its own on the disk".into());
    }
    let opened =
        rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("open {}: {error}", directory.display()));
    match opened.and_then(|directory| Volumes::prepare(directory, create::owner_of_tmp(rights))) {
        Ok(volumes) => (Some(volumes), Grant::Enforced),
        Err(error) => missing(error),
    }
}

fn granted(rights: Rights) -> Grant {
    match rights {
        Rights::Root { .. } => Grant::Enforced,
        Rights::Rootless => Grant::Missing(
            "without root every function runs as the user who started the server; only namespaces and the system \
             call filter keep them apart"
                .into(),
        ),
    }
}
