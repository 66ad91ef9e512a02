//! From the sandbox's init to a program: the unprivileged user, the limits, the four descriptors, exec.

use std::ffi::{CString, c_int};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::Mode;
use rustix::net::SendFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::sys;
use crate::base::{GID, UID};
use crate::channel;
use crate::message::{self, InitReply};
use crate::spec::Command;

/// Lambda's. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const FILES_MAX: u64 = 1024;
const LOCKED_BYTES_MAX: u64 = 64 * 1024;
/// Descriptors are moved above what the program will see before they are put in place.
const CLEAR: c_int = 10;
/// Where the program finds its control socket.
const CONTROL: c_int = 3;

/// What the init lends to a start.
pub(super) struct Environment<'a> {
    pub(super) id: u64,
    pub(super) null: &'a OwnedFd,
    pub(super) reports: &'a OwnedFd,
    pub(super) processes_max: Option<u64>,
}

type Failure = (String, io::Error);

/// Starts a program and waits until it runs, or for the step that failed.
pub(super) fn start(
    environment: &Environment<'_>,
    command: &Command,
    fds: Vec<OwnedFd>,
) -> Result<Pid, Failure> {
    let at = |step: &'static str| move |error: io::Error| (step.to_owned(), error);
    let prepared = Prepared::new(command).map_err(at("read the command"))?;
    let Ok([control]) = <[OwnedFd; 1]>::try_from(fds) else {
        return Err(at("receive the control socket")(io::ErrorKind::InvalidInput.into()));
    };
    let (failure, failing) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| at("make a pipe")(error.into()))?;
    let pid = sys::fork(|| {
        let Err((step, error)) = become_program(environment, &prepared, &control, &failing);
        let report = format!("{}\n{step}", error.raw_os_error().unwrap_or(libc::EIO));
        // The reader sees an incomplete report as a failure too.
        let _ = rustix::io::write(&failing, report.as_bytes());
        127
    })
    .map_err(at("fork"))?;
    drop(failing);
    match read_failure(&failure) {
        None => Ok(pid),
        Some(failure) => {
            // It is ending; left unreaped it would be taken for a process of the function's.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(failure)
        }
    }
}

/// Empty when the program was executed: that has closed the other end.
fn read_failure(from: &OwnedFd) -> Option<Failure> {
    let mut buffer = [0; 256];
    let length = loop {
        match rustix::io::read(from, &mut buffer) {
            Err(rustix::io::Errno::INTR) => {}
            result => break result.unwrap_or(0),
        }
    };
    let report = String::from_utf8_lossy(&buffer[..length]);
    let (errno, step) = report.split_once('\n')?;
    Some((step.to_owned(), io::Error::from_raw_os_error(errno.parse().unwrap_or(libc::EIO))))
}

/// The command as the kernel wants it.
struct Prepared {
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
}

impl Prepared {
    fn new(command: &Command) -> io::Result<Self> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        let string = |bytes: &[u8]| CString::new(bytes).map_err(|_| invalid());
        if !command.argv.first().is_some_and(|program| program.starts_with('/')) || !command.cwd.is_absolute()
        {
            return Err(invalid());
        }
        if command.env.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err(invalid());
        }
        Ok(Self {
            argv: command
                .argv
                .iter()
                .map(|argument| string(argument.as_bytes()))
                .collect::<Result<_, _>>()?,
            env: (command.env.iter())
                .map(|(name, value)| string(format!("{name}={value}").as_bytes()))
                .collect::<Result<_, _>>()?,
            cwd: string(command.cwd.as_os_str().as_encoded_bytes())?,
        })
    }
}

enum Never {}

/// In the child: every step from the init's rights to the program.
fn become_program(
    environment: &Environment<'_>,
    prepared: &Prepared,
    control: &OwnedFd,
    failing: &OwnedFd,
) -> Result<Never, Failure> {
    let at = |step: &'static str| move |error: io::Error| (step.to_owned(), error);
    sys::reset_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::setsid().map_err(|error| at("start a session")(error.into()))?;
    set_limits(environment.processes_max).map_err(at("limit resources"))?;
    give_up_everything().map_err(at("become the function's user"))?;
    let (stdout, stderr) = make_pipes(environment).map_err(at("make output pipes"))?;
    rustix::process::chdir(&*prepared.cwd)
        .map_err(|error| at("change to the working directory")(error.into()))?;
    place_descriptors([environment.null.as_fd(), stdout.as_fd(), stderr.as_fd(), control.as_fd()], failing)
        .map_err(at("place descriptors"))?;
    let error = sys::execute(&prepared.argv[0], &prepared.argv, &prepared.env);
    Err(at("execute it")(error))
}

fn set_limits(processes_max: Option<u64>) -> io::Result<()> {
    sys::limit(Resource::Nofile, FILES_MAX)?;
    sys::limit(Resource::Core, 0)?;
    sys::limit(Resource::Memlock, LOCKED_BYTES_MAX)?;
    // Whatever the user who started the server may do: priority over the host is not a function's.
    sys::limit(Resource::Nice, 0)?;
    sys::limit(Resource::Rtprio, 0)?;
    processes_max.map_or(Ok(()), |limit| sys::limit(Resource::Nproc, limit))
}

fn give_up_everything() -> io::Result<()> {
    become_user(UID, GID)?;
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    Ok(())
}

/// Changes all three user ids and all three group ids.
pub(super) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

/// Made as the function's user, so that it may open `/dev/stdout`; the reading ends go to the server.
fn make_pipes(environment: &Environment<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let (stdout_read, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr_read, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let message = message::encode(environment.id, &InitReply::Pipes);
    channel::send(
        environment.reports,
        &message,
        &[stdout_read.as_fd(), stderr_read.as_fd()],
        SendFlags::empty(),
    )?;
    Ok((stdout, stderr))
}

/// Puts the given descriptors at 0 to 3 and has exec close all others.
fn place_descriptors(descriptors: [BorrowedFd<'_>; 4], failing: &OwnedFd) -> io::Result<()> {
    let mut clear = Vec::with_capacity(descriptors.len());
    for descriptor in descriptors {
        clear.push(rustix::io::fcntl_dupfd_cloexec(descriptor, CLEAR)?);
    }
    // The report of a failure must survive until exec, wherever its descriptor is: numbers up to 3 are replaced.
    debug_assert!(std::os::fd::AsRawFd::as_raw_fd(failing) > CONTROL, "0 to 4 are taken since the set-up");
    for (descriptor, target) in clear.iter().zip(0..) {
        sys::place(descriptor.as_fd(), target)?;
    }
    sys::close_from(CONTROL + 1, true)
}
