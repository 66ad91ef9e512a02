//! User namespaces, made ahead of need: one per sandbox slot, each with host user ids that own nothing.

use std::convert::Infallible;
use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Signal, pidfd_send_signal, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::{exec, sys};
use crate::base::{GID, UID};
use crate::channel;

/// How many user namespaces wait ready, beyond those in use.
const SPARE: usize = 8;
/// `nobody`: the last id that belongs to no one, so that ids are taken below it where there are only 65536.
const NOBODY: u64 = 65_534;

/// Whose rights the launcher has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Root's: sandboxes get host user ids of their own, from this one on.
    Root { uid_base: u32 },
    /// An ordinary user's, root in a user namespace: sandboxes run as that user.
    Rootless,
}

/// The user namespace of one sandbox: its slot.
#[derive(Debug)]
pub(super) struct User {
    pub(super) namespace: OwnedFd,
}

/// User namespaces by slot. A slot is used again only after its sandbox is gone.
#[derive(Debug)]
pub(super) struct Users {
    rights: Rights,
    spare: Vec<User>,
    made: u32,
    made_max: u32,
    /// Maps host root to a sandbox's root, for showing host files inside; `None` where there is no such right.
    pub(super) files: Option<OwnedFd>,
}

impl Users {
    pub(super) fn new(rights: Rights, made_max: u32) -> io::Result<Self> {
        let files = match rights {
            Rights::Root { uid_base } => {
                Some(make_namespace(None, &one(0, uid_base), &one(0, uid_base), false)?)
            }
            Rights::Rootless => None,
        };
        Ok(Self { rights, spare: Vec::new(), made: 0, made_max, files })
    }

    pub(super) fn take(&mut self) -> Result<User, String> {
        if self.spare.is_empty() {
            self.make().map_err(|error| format!("make a user namespace: {error}"))?;
        }
        self.spare.pop().ok_or_else(|| format!("all {} sandboxes are in use", self.made_max))
    }

    pub(super) fn give_back(&mut self, user: User) {
        self.spare.push(user);
    }

    /// Makes one more ahead of need; false when there are enough.
    pub(super) fn prepare_one(&mut self) -> bool {
        self.spare.len() < SPARE && self.made < self.made_max && self.make().is_ok()
    }

    fn make(&mut self) -> io::Result<()> {
        if self.made == self.made_max {
            return Ok(());
        }
        let namespace = match self.rights {
            // Id 0 is the same host id in all of them, so that mounts can be shared.
            Rights::Root { uid_base } => {
                let own = uid_base + 1 + self.made;
                let uids = one(0, uid_base) + &one(UID, own);
                let gids = one(0, uid_base) + &one(GID, own);
                make_namespace(Some(own), &uids, &gids, false)?
            }
            Rights::Rootless => make_namespace(None, &one(UID, 0), &one(GID, 0), true)?,
        };
        self.made += 1;
        self.spare.push(User { namespace });
        Ok(())
    }
}

fn one(inside: u32, outside: u32) -> String {
    format!("{inside} {outside} 1\n")
}

/// A user namespace that no process is in: its descriptor keeps it.
///
/// What the kernel counts for each user (inotify instances, queued signals, message queues) it counts for the maker of
/// the namespace as well. `owner` makes it where one is given: root's own share is for the host's services.
fn make_namespace(owner: Option<u32>, uids: &str, gids: &str, deny_groups: bool) -> io::Result<OwnedFd> {
    let (ours, theirs) = channel::pair()?;
    let child = sys::clone_into(0, None, || {
        let Err(error) = hold_namespace(owner, &theirs);
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        c_int::from(channel::send(&theirs, &errno.to_ne_bytes(), &[], SendFlags::empty()).is_err())
    })?;
    drop(theirs);
    let result = receive_namespace(&ours).and_then(|namespace| {
        let process = format!("/proc/{}", child.pid.as_raw_nonzero());
        write_maps(&process, uids, gids, deny_groups).map(|()| namespace)
    });
    let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    sys::reap(&child)?;
    result
}

/// In a child: holds the namespace until its descriptor is known; ends early only together with the launcher.
fn hold_namespace(owner: Option<u32>, to: &OwnedFd) -> io::Result<Infallible> {
    if let Some(owner) = owner {
        exec::become_user(owner, owner)?;
    }
    sys::unshare(UnshareFlags::NEWUSER)?;
    // Changing ids would have cleared it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let namespace = rustix::fs::open("/proc/self/ns/user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    channel::send(to, &[], &[namespace.as_fd()], SendFlags::empty())?;
    loop {
        rustix::event::pause();
    }
}

fn receive_namespace(from: &OwnedFd) -> io::Result<OwnedFd> {
    let mut packet = channel::receive(from, RecvFlags::empty())?.ok_or(io::ErrorKind::UnexpectedEof)?;
    match packet.fds.pop() {
        Some(namespace) => Ok(namespace),
        None => {
            let errno = packet.bytes.as_slice().try_into().map_or(libc::EIO, c_int::from_ne_bytes);
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

fn write_maps(process: &str, uids: &str, gids: &str, deny_groups: bool) -> io::Result<()> {
    if deny_groups {
        fs::write(format!("{process}/setgroups"), "deny")?;
    }
    fs::write(format!("{process}/uid_map"), uids)?;
    fs::write(format!("{process}/gid_map"), gids)
}

/// Finds out whose rights this process has, and makes an ordinary user root in a user namespace of its own.
pub(super) fn acquire(uid_base: u32, sandboxes_max: u32) -> Result<Rights, String> {
    let is_root = rustix::process::geteuid().is_root();
    let can_mount = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN));
    if is_root && can_mount {
        let map = fs::read_to_string("/proc/self/uid_map")
            .map_err(|error| format!("read /proc/self/uid_map: {error}"))?;
        let uid_base = choose_base(&map, uid_base, sandboxes_max)
            .ok_or("this user namespace has too few user ids for sandboxes; give it at least 65536")?;
        return Ok(Rights::Root { uid_base });
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    sys::unshare(UnshareFlags::NEWUSER).map_err(|error| {
        format!(
            "neither root nor allowed to make a user namespace ({error}); run as root, or allow user namespaces \
             (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    })?;
    write_maps("/proc/self", &one(0, uid), &one(0, gid), true)
        .map_err(|error| format!("map the user into a user namespace: {error}"))?;
    Ok(Rights::Rootless)
}

/// The wanted range where this process's user namespace has it, else the highest that it has.
fn choose_base(uid_map: &str, wanted: u32, sandboxes_max: u32) -> Option<u32> {
    let needed = u64::from(sandboxes_max) + 1;
    let ranges: Vec<(u64, u64)> = uid_map
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
            let (first, _outside, length) = (numbers.next()??, numbers.next()?, numbers.next()??);
            Some((first, first + length))
        })
        .collect();
    let wanted_range = (u64::from(wanted), u64::from(wanted) + needed);
    if ranges.iter().any(|(first, end)| *first <= wanted_range.0 && wanted_range.1 <= *end) {
        return Some(wanted);
    }
    let highest =
        ranges.iter().map(|(first, end)| (*first, (*end).min(NOBODY))).max_by_key(|(_, end)| *end)?;
    let base = highest.1.checked_sub(needed).filter(|base| *base > highest.0)?;
    // An id that low belongs to the system's own users.
    u32::try_from(base).ok().filter(|base| *base >= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &str, expected: Option<u32>) {
        assert_eq!(choose_base(map, 100_000, 4096), expected, "{map}");
    }

    #[test]
    fn ids_are_taken_where_there_are_any() {
        check("         0          0 4294967295\n", Some(100_000));
        check("0 100000 65536\n", Some(65_534 - 4097));
        check("0 1000 1\n", None);
        check("0 1000 1\n1 100000 65536\n", Some(65_534 - 4097));
        check("", None);
    }
}
