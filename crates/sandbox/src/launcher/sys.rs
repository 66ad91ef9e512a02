//! The system calls that no safe library wraps, each made safe here or marked with what its caller must know.
//!
//! The launcher and everything it clones are single-threaded: nobody else's view of descriptors, working
//! directory or namespaces can change under these calls.

use std::ffi::{CStr, CString, c_int, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::process::Pid;
use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, UnshareFlags, move_into_link_name_space,
};

/// `struct clone_args` of linux/sched.h.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `CLONE_INTO_CGROUP` of linux/sched.h.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A child process of this one.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
}

/// Clones this process into new namespaces (`CLONE_NEW*`), runs `child` there and never returns from it.
///
/// No flag is passed that makes the two share memory: the child works on its own copy of everything.
pub(super) fn clone_into(
    namespaces: c_int,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce() -> c_int,
) -> io::Result<Child> {
    let mut pidfd: c_int = -1;
    let mut args = CloneArgs {
        flags: u64::from(namespaces.cast_unsigned()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: the arguments describe a fork without shared memory; `pidfd` outlives the call. The process has one
    // thread, so the child may go on using the heap.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        0 => {
            // A panic must not unwind into the parent's stack frames, which the child has copies of.
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            exit(status)
        }
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("the kernel's process ids fit");
            // SAFETY: clone3 has stored a new descriptor there, which nobody else owns.
            Ok(Child { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
        }
    }
}

/// A plain fork; `child` runs in the new process and never returns from it. Works behind the sandbox's system
/// call filter, which hides `clone3`.
pub(super) fn fork(child: impl FnOnce() -> c_int) -> io::Result<Pid> {
    // SAFETY: the process has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        ..0 => Err(io::Error::last_os_error()),
        0 => exit(std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101)),
        pid => Ok(Pid::from_raw(pid).expect("not zero")),
    }
}

/// Ends this process without running anything of the parent's.
pub(super) fn exit(status: c_int) -> ! {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(status) }
}

/// Waits for a child to end, and forgets it.
pub(super) fn reap(child: &Child) -> io::Result<()> {
    loop {
        let ended = rustix::process::waitid(
            rustix::process::WaitId::PidFd(child.pidfd.as_fd()),
            rustix::process::WaitIdOptions::EXITED,
        );
        match ended {
            Err(rustix::io::Errno::INTR) => {}
            // Already reaped.
            Ok(_) | Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Leaves shared namespaces for new ones.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: descriptors stay shared with nobody: the process has one thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Joins a mount namespace; its root becomes root and working directory.
pub(super) fn join_mounts(namespace: &OwnedFd) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?)
}

/// Joins a user namespace, with all capabilities in it and none outside.
pub(super) fn join_user(namespace: &OwnedFd) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User))?)
}

/// Sets attributes of a mount (`MOUNT_ATTR_*`) and of those below it; with `users`, shows its files' owners as
/// that user namespace maps them.
pub(super) fn set_mount_attributes(mount: &OwnedFd, set: u64, users: Option<&OwnedFd>) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set | if users.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.map_or(0, |users| u64::from(users.as_raw_fd().cast_unsigned())),
    };
    // SAFETY: the path is an empty C string, the attributes outlive the call, and their size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts this process behind a system call filter, for good.
pub(super) fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    // Speculation controls stay as the machine has them: they cost every function, and sandboxes share no memory.
    let flags: c_ulong = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    // SAFETY: the program outlives the call, which copies it; its length is given.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Blocks the given signals and returns a descriptor that is readable when one is pending.
pub(super) fn take_signals(signals: &[c_int]) -> io::Result<OwnedFd> {
    // SAFETY: a signal set is plain data, made empty by sigemptyset before use; every pointer is to a local.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Ignores a signal from now on.
pub(super) fn ignore_signal(signal: c_int) {
    // SAFETY: ignoring runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Gives every signal its default action and blocks none, as a new program expects.
pub(super) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action runs no code of ours. Those that cannot be changed fail, as they should.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: a signal set is plain data, made empty by sigemptyset; every pointer is to a local.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// Kills every process of this pid namespace but this one, its init.
pub(super) fn kill_everyone() -> io::Result<()> {
    // SAFETY: as process 1 of a sandbox's pid namespace, "everyone" is that sandbox.
    match unsafe { libc::kill(-1, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends any signal number, real-time ones included.
pub(super) fn kill(pid: Pid, signal: c_int) -> io::Result<()> {
    // SAFETY: signals one process.
    match unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `target` refer to the same file as `fd`, kept open over exec.
pub(super) fn place(fd: BorrowedFd<'_>, target: c_int) -> io::Result<()> {
    // SAFETY: replaces a descriptor number that, by this module's callers, nothing of ours uses any more.
    match unsafe { libc::dup2(fd.as_raw_fd(), target) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Closes every descriptor from `first` on: at once, or when a program is executed.
pub(super) fn close_from(first: c_int, on_exec: bool) -> io::Result<()> {
    let flags = if on_exec { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
    // SAFETY: the caller never returns to code that owns one of them: it executes a program, or exits.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Becomes another program; returns only to say why not.
pub(super) fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both arrays end in null and, like the strings they point to, outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    /// `struct loop_info64` up to `lo_flags`: devices, inode, offset, size limit, number, encryption.
    info: [u64; 6],
    encrypt_key_size: u32,
    flags: u32,
    /// Names and keys, which nothing needs, and what is reserved.
    rest: [u64; 30],
}

/// A loop device's number that is free at this moment.
pub(super) fn free_loop_device(control: &OwnedFd) -> io::Result<u32> {
    const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
    // SAFETY: takes no argument.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    u32::try_from(number).map_err(|_| io::Error::last_os_error())
}

/// Makes a loop device show a file, until its last user is gone.
pub(super) fn configure_loop_device(device: &OwnedFd, file: &OwnedFd, block_bytes: u32) -> io::Result<()> {
    const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
    const LO_FLAGS_AUTOCLEAR: u32 = 4;
    const { assert!(size_of::<LoopConfig>() == 304, "as the kernel has it") };
    let config = LoopConfig {
        fd: file.as_raw_fd().cast_unsigned(),
        block_size: block_bytes,
        info: [0; 6],
        encrypt_key_size: 0,
        flags: LO_FLAGS_AUTOCLEAR,
        rest: [0; 30],
    };
    // SAFETY: the argument has the kernel's layout and outlives the call.
    match unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets an ext4 file system forget what it has not written yet.
pub(super) fn shut_down_ext4(directory: &OwnedFd) -> io::Result<()> {
    const EXT4_IOC_SHUTDOWN: libc::Ioctl = 0x8004_587d;
    let no_log_flush: u32 = 2;
    // SAFETY: the argument is a number that outlives the call.
    match unsafe { libc::ioctl(directory.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const no_log_flush) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Limits a resource, hard and soft, where it is not limited further already.
pub(super) fn limit(resource: rustix::process::Resource, value: u64) -> io::Result<()> {
    let value = rustix::process::getrlimit(resource).maximum.map_or(value, |now| now.min(value));
    let limit = rustix::process::Rlimit { current: Some(value), maximum: Some(value) };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Gives up all capabilities but these, and those that a program executed here could gain, for good.
pub(super) fn keep_capabilities(kept: CapabilitySet) -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // A capability that this kernel does not have.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let had = rustix::thread::capabilities(None)?;
    let sets = CapabilitySets {
        effective: had.effective & kept,
        permitted: had.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Takes ownership of a descriptor number that [`place`] has just filled.
pub(super) fn own(fd: c_int) -> OwnedFd {
    // SAFETY: the callers have placed it there, and gave up every other owner of the number.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
