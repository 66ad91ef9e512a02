//! Mounts as values: made detached, configured, and only then put in place.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::sys;

/// What everything from the host gets.
pub(super) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// A tmpfs, and the context through which it can be resized later from any namespace.
#[derive(Debug)]
pub(super) struct Tmpfs {
    pub(super) context: OwnedFd,
    pub(super) mount: OwnedFd,
}

/// Files and directories that fit a tmpfs, for each MiB of its size: they take kernel memory beside it.
const FILES_PER_MIB: u64 = 256;

fn files_max(size_mib: u32) -> String {
    (u64::from(size_mib) * FILES_PER_MIB).to_string()
}

/// Makes a tmpfs owned by the given user. It needs a size from the start: an unlimited one cannot be limited later.
pub(super) fn tmpfs(size_mib: u32, mode: &str, owner: u32, attributes: MountAttrFlags) -> io::Result<Tmpfs> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let owner = owner.to_string();
    let files = files_max(size_mib);
    for (key, value) in [
        ("size", format!("{size_mib}m").as_str()),
        ("mode", mode),
        ("uid", &owner),
        ("gid", &owner),
        ("nr_inodes", &files),
    ] {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    fsconfig_create(context.as_fd())?;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    Ok(Tmpfs { context, mount })
}

/// Resizes a tmpfs where it is mounted, whoever sees it. Shrinking below what is in use fails.
pub(super) fn resize(context: &OwnedFd, size_mib: u32) -> io::Result<()> {
    fsconfig_set_string(context.as_fd(), "size", format!("{size_mib}m"))?;
    fsconfig_set_string(context.as_fd(), "nr_inodes", files_max(size_mib))?;
    Ok(fsconfig_reconfigure(context.as_fd())?)
}

/// The proc file system of this process's pid namespace.
pub(super) fn proc() -> io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// A detached copy of what is mounted at a path, with everything mounted below it. No part of the path is a link, not
/// even one that was put there a moment ago.
pub(super) fn copy(path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let place = openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(&place, "", flags)?)
}

/// A detached copy of an open directory, without anything mounted below it.
pub(super) fn copy_of(directory: &OwnedFd) -> io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(directory, "", flags)?)
}

/// Makes a detached mount read-only, its files owned as `users` maps them. File systems that cannot map owners
/// show them as nobody's, which is harmless: they are only read.
pub(super) fn protect(mount: &OwnedFd, users: Option<&OwnedFd>) -> io::Result<()> {
    if users.is_some() && sys::set_mount_attributes(mount, READ_ONLY, users).is_ok() {
        return Ok(());
    }
    sys::set_mount_attributes(mount, READ_ONLY, None)
}

/// Puts a detached mount over an open directory or file.
pub(super) fn attach(mount: &OwnedFd, place: &OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", place, "", flags)?)
}

/// Puts a detached mount over a path.
pub(super) fn attach_at(mount: &OwnedFd, place: &str) -> io::Result<()> {
    Ok(move_mount(mount, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Opens a directory below another, following nothing that could lead out of it.
pub(super) fn open_below(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// Opens a place in a template, following no link.
pub(super) fn open_place(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?)
}
