//! One sandbox from the launcher's side: made, specialised, ended.

use std::io;
use std::os::fd::OwnedFd;

use libc::sock_filter;
use rustix::fs::{Mode, OFlags};
use rustix::mount::MountAttrFlags;
use rustix::process::{Signal, pidfd_send_signal};

use super::init::{self, Inside, Plan};
use super::users::{Rights, User};
use super::volumes::Volumes;
use super::{mounts, sys};
use crate::cgroup::{Controls, Group};
use crate::channel;
use crate::message::Fd;
use crate::net::NetSpec;
use crate::spec::Limits;

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

const TMP: &str = "/tmp";

/// Of host user ids, the one that every sandbox's root is.
pub(super) fn owner_of_tmp(rights: Rights) -> u32 {
    match rights {
        Rights::Root { uid_base } => uid_base,
        // In the launcher's own user namespace.
        Rights::Rootless => 0,
    }
}

/// Where `/tmp` is.
#[derive(Debug)]
enum Tmp {
    /// In memory, resized through the context that made it.
    Memory(OwnedFd),
    /// On a volume.
    Disk { size_mib: u32 },
}

/// What making a sandbox takes of the launcher.
pub(super) struct Means<'a> {
    pub(super) rights: Rights,
    /// The launcher's own mount namespace, to come back to.
    pub(super) home: &'a OwnedFd,
    pub(super) template: &'a OwnedFd,
    pub(super) filter: &'a [sock_filter],
    pub(super) net: NetSpec,
    /// Whether no cgroup limits processes.
    pub(super) limit_processes: bool,
    pub(super) limits: Limits,
    pub(super) tmp_mib: u32,
    /// For `/tmp`; none where it has to be in memory.
    pub(super) volume: Option<OwnedFd>,
}

/// A sandbox whose init is setting itself up.
#[derive(Debug)]
pub(super) struct Making {
    child: sys::Child,
    tmp: Tmp,
    pub(super) set_up: OwnedFd,
    requests: OwnedFd,
    controls: Controls,
}

/// A sandbox that can be specialised.
#[derive(Debug)]
pub(super) struct Made {
    child: sys::Child,
    tmp: Tmp,
    mounts: OwnedFd,
    task: OwnedFd,
    opt: OwnedFd,
    specialised: bool,
}

/// A sandbox whose init could not set itself up.
pub(super) struct Failed {
    pub(super) child: sys::Child,
    pub(super) error: String,
}

impl Making {
    /// Clones the init. What it needs of the host is opened before, for in there nothing of the host can be.
    pub(super) fn start(
        means: Means<'_>,
        user: &User,
        group: &Group,
        controls: Controls,
    ) -> Result<Self, String> {
        let (tmp, tmp_mount) = match means.volume {
            Some(volume) => (Tmp::Disk { size_mib: means.tmp_mib }, volume),
            None => {
                let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
                let made = mounts::tmpfs(means.tmp_mib, "1777", owner_of_tmp(means.rights), attributes)
                    .map_err(|error| format!("make /tmp: {error}"))?;
                (Tmp::Memory(made.context), made.mount)
            }
        };
        let pair = || channel::pair().map_err(|error| format!("make a socket pair: {error}"));
        let ((set_up, their_set_up), (requests, their_requests)) = (pair()?, pair()?);
        let plan = Plan {
            rights: means.rights,
            tasks: group.tasks(),
            tmp: &tmp_mount,
            user: &user.namespace,
            filter: means.filter,
            net: means.net,
            set_up: &their_set_up,
            requests: &their_requests,
            processes_max: means.limit_processes.then(|| u64::from(means.limits.pids) + 1),
        };
        sys::join_mounts(means.template).map_err(|error| format!("enter the template: {error}"))?;
        let child = sys::clone_into(NAMESPACES, group.two(), || init::run(&plan));
        // The launcher is of no use in there, and cannot be trusted to be anywhere else.
        sys::join_mounts(means.home).expect("the launcher's own namespace can always be entered");
        let child = child.map_err(|error| format!("clone a sandbox: {error}"))?;
        Ok(Self { child, tmp, set_up, requests, controls })
    }

    /// Takes what the init has opened; gives the descriptors for the server.
    pub(super) fn finish(self) -> Result<(Made, Vec<(Fd, OwnedFd)>), Failed> {
        let inside = match Inside::receive(&self.set_up) {
            Ok(inside) => inside,
            Err(error) => return Err(Failed { child: self.child, error }),
        };
        let Self { child, tmp, requests, controls, set_up: _ } = self;
        let mut fds = vec![(Fd::Init, requests)];
        fds.extend(controls.into_knobs().into_parts().map(|(knob, fd)| (Fd::Knob(knob), fd)));
        fds.extend(inside.sockets.into_iter().map(|(kind, fd)| (Fd::Net(kind), fd)));
        let made = Made {
            child,
            tmp,
            mounts: inside.mounts,
            task: inside.task,
            opt: inside.opt,
            specialised: false,
        };
        Ok((made, fds))
    }

    pub(super) fn into_child(self) -> sys::Child {
        self.child
    }
}

impl Made {
    /// Resizes `/tmp` and shows the code, read-only. Nothing is mounted unless everything can be.
    pub(super) fn specialise(
        &mut self,
        home: &OwnedFd,
        files: Option<&OwnedFd>,
        task: &OwnedFd,
        opt: Option<&OwnedFd>,
        tmp_mib: u32,
        volumes: Option<&mut Volumes>,
    ) -> Result<(), String> {
        if self.specialised {
            return Err("the sandbox is already a function's".into());
        }
        let tmp = self.resize_tmp(tmp_mib, volumes)?;
        let prepare = |directory: &OwnedFd| {
            let copy = mounts::copy_of(directory)?;
            mounts::protect(&copy, files).map(|()| copy)
        };
        let prepared = prepare(task).and_then(|task| Ok((task, opt.map(prepare).transpose()?)));
        let (task, opt) = prepared.map_err(|error| format!("prepare a function's code: {error}"))?;
        self.specialised = true;
        sys::join_mounts(&self.mounts).map_err(|error| format!("enter a sandbox: {error}"))?;
        let attached = mounts::attach(&task, &self.task)
            .and_then(|()| opt.map_or(Ok(()), |opt| mounts::attach(&opt, &self.opt)))
            // Over the one that it was made with, which nothing can reach then.
            .and_then(|()| tmp.map_or(Ok(()), |tmp| mounts::attach_at(&tmp, TMP)));
        sys::join_mounts(home).expect("the launcher's own namespace can always be entered");
        attached.map_err(|error| format!("mount a function's code: {error}"))
    }

    /// What is to be mounted over the `/tmp` that it was made with, if that has another size.
    fn resize_tmp(&mut self, to_mib: u32, volumes: Option<&mut Volumes>) -> Result<Option<OwnedFd>, String> {
        let failed = |error: String| format!("resize /tmp to {to_mib} MiB: {error}");
        match (&mut self.tmp, volumes) {
            (Tmp::Memory(context), _) => {
                mounts::resize(context, to_mib).map(|()| None).map_err(|error| failed(error.to_string()))
            }
            (Tmp::Disk { size_mib }, _) if *size_mib == to_mib => Ok(None),
            (Tmp::Disk { size_mib }, Some(volumes)) => {
                let volume = volumes.take(to_mib).map_err(failed)?;
                *size_mib = to_mib;
                Ok(Some(volume))
            }
            (Tmp::Disk { .. }, None) => Err(failed("there are no volumes".into())),
        }
    }

    /// Ends it: the child is to be killed. What `/tmp` has not written yet will never be read.
    pub(super) fn end(self, home: &OwnedFd) -> sys::Child {
        if matches!(self.tmp, Tmp::Disk { .. }) {
            // Otherwise it is written when it is unmounted: slower, and no harm.
            let _ = self.forget_tmp(home);
        }
        self.child
    }

    fn forget_tmp(&self, home: &OwnedFd) -> io::Result<()> {
        sys::join_mounts(&self.mounts)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let tmp = rustix::fs::open(TMP, flags, Mode::empty());
        sys::join_mounts(home).expect("the launcher's own namespace can always be entered");
        sys::shut_down_ext4(&tmp?)
    }
}

/// Kills a sandbox's init, and with it everything in its pid namespace.
pub(super) fn kill(child: &sys::Child, group: &Group) {
    // It may have ended by itself.
    let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    // After the signal: a thawed process must find it waiting.
    group.kill();
}
