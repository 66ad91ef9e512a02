//! One sandbox from the launcher's side: made, specialised, ended.

use std::os::fd::OwnedFd;

use libc::sock_filter;
use rustix::mount::MountAttrFlags;
use rustix::process::{Signal, pidfd_send_signal};

use super::init::{self, Inside, Plan};
use super::users::{Rights, User};
use super::{mounts, sys};
use crate::cgroup::{Controls, Group};
use crate::channel;
use crate::message::Fd;
use crate::net::NetSpec;
use crate::spec::Limits;

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

/// Of host user ids, the one that every sandbox's root is.
fn owner_of_tmp(rights: Rights) -> u32 {
    match rights {
        Rights::Root { uid_base } => uid_base,
        // In the launcher's own user namespace.
        Rights::Rootless => 0,
    }
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
}

/// A sandbox whose init is setting itself up.
#[derive(Debug)]
pub(super) struct Making {
    child: sys::Child,
    tmp: OwnedFd,
    pub(super) set_up: OwnedFd,
    requests: OwnedFd,
    controls: Controls,
}

/// A sandbox that can be specialised.
#[derive(Debug)]
pub(super) struct Made {
    child: sys::Child,
    tmp: OwnedFd,
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
        means: &Means<'_>,
        user: &User,
        group: &Group,
        controls: Controls,
    ) -> Result<Self, String> {
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let tmp = mounts::tmpfs(means.tmp_mib, "1777", owner_of_tmp(means.rights), attributes)
            .map_err(|error| format!("make /tmp: {error}"))?;
        let pair = || channel::pair().map_err(|error| format!("make a socket pair: {error}"));
        let ((set_up, their_set_up), (requests, their_requests)) = (pair()?, pair()?);
        let plan = Plan {
            rights: means.rights,
            tasks: group.tasks(),
            tmp: &tmp.mount,
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
        Ok(Self { child, tmp: tmp.context, set_up, requests, controls })
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
    ) -> Result<(), String> {
        if self.specialised {
            return Err("the sandbox is already a function's".into());
        }
        mounts::resize(&self.tmp, tmp_mib)
            .map_err(|error| format!("resize /tmp to {tmp_mib} MiB: {error}"))?;
        let prepare = |directory: &OwnedFd| {
            let copy = mounts::copy_of(directory)?;
            mounts::protect(&copy, files).map(|()| copy)
        };
        let prepared = prepare(task).and_then(|task| Ok((task, opt.map(prepare).transpose()?)));
        let (task, opt) = prepared.map_err(|error| format!("prepare a function's code: {error}"))?;
        self.specialised = true;
        sys::join_mounts(&self.mounts).map_err(|error| format!("enter a sandbox: {error}"))?;
        let attached = mounts::attach(&task, &self.task)
            .and_then(|()| opt.map_or(Ok(()), |opt| mounts::attach(&opt, &self.opt)));
        sys::join_mounts(home).expect("the launcher's own namespace can always be entered");
        attached.map_err(|error| format!("mount a function's code: {error}"))
    }

    pub(super) fn into_child(self) -> sys::Child {
        self.child
    }
}

/// Kills a sandbox's init, and with it everything in its pid namespace.
pub(super) fn kill(child: &sys::Child, group: &Group) {
    // It may have ended by itself.
    let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    // After the signal: a thawed process must find it waiting.
    group.kill();
}
