//! Builds the read-only root of a runtime: a mount namespace from which sandboxes' own are copied.
//!
//! A child does it in a namespace of its own and ends; the descriptor keeps the namespace. A sandbox made from it
//! inherits a dozen mounts instead of the host's, and needs no `pivot_root`.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::net::{RecvFlags, SendFlags};

use super::{mounts, sys};
use crate::spec::TemplateSpec;
use crate::{channel, message};

/// Room for directories, links and small files.
const ROOT_SIZE_MIB: u32 = 4;
/// Where the root is put together before it becomes the root: every machine has it, and it needs nothing there.
const STAGE: &str = "/proc";
/// Devices that programs expect, with their numbers.
const DEVICES: &[(&str, u32, u32)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];
const DEVICE_LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];
/// Mounted over in every sandbox.
const OWN: &[&str] = &["/proc", "/tmp", "/var/task", "/opt", "/dev"];

/// Makes the template's mount namespace. `files` maps the owners of host files.
pub(super) fn build(spec: &TemplateSpec, files: Option<&OwnedFd>, nested: bool) -> Result<OwnedFd, String> {
    let (ours, theirs) = channel::pair().map_err(|error| format!("make a socket pair: {error}"))?;
    let builder = Builder { spec, files, nested };
    let child = sys::clone_into(libc::CLONE_NEWNS, None, || report(builder.build(), &theirs))
        .map_err(|error| format!("make a mount namespace: {error}"))?;
    drop(theirs);
    let packet = channel::receive(&ours, RecvFlags::empty());
    sys::reap(&child).map_err(|error| format!("wait for a template: {error}"))?;
    match packet {
        Ok(Some(mut packet)) if packet.bytes == b"." => {
            packet.fds.pop().ok_or_else(|| "a template got lost".into())
        }
        Ok(Some(packet)) => Err(String::from_utf8_lossy(&packet.bytes).into_owned()),
        Ok(None) => Err("the process that made a template died".into()),
        Err(error) => Err(format!("receive a template: {error}")),
    }
}

fn report(result: Result<OwnedFd, String>, to: &OwnedFd) -> c_int {
    let sent = match result {
        Ok(namespace) => channel::send(to, b".", &[namespace.as_fd()], SendFlags::empty()),
        Err(error) => channel::send(to, error.as_bytes(), &[], SendFlags::empty()),
    };
    c_int::from(sent.is_err())
}

struct Builder<'a> {
    spec: &'a TemplateSpec,
    files: Option<&'a OwnedFd>,
    /// In a user namespace: devices cannot be made, and proc can only be mounted where one is visible.
    nested: bool,
}

/// A detached mount and where it goes.
struct Source {
    mount: OwnedFd,
    inside: PathBuf,
    is_directory: bool,
}

impl Builder<'_> {
    fn build(&self) -> Result<OwnedFd, String> {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(|error| format!("make mounts private: {error}"))?;
        let namespace =
            rustix::fs::open("/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| format!("open /proc/self/ns/mnt: {error}"))?;
        // Everything of the host is taken before anything covers it.
        let mut sources = self.sources()?;
        let root = mounts::tmpfs(ROOT_SIZE_MIB, "0755", 0, MountAttrFlags::MOUNT_ATTR_NOSUID)
            .map_err(|error| format!("mount a tmpfs: {error}"))?;
        self.furnish(&root.mount, &mut sources)?;
        self.protect(&root.mount)?;
        mounts::attach_at(&root.mount, STAGE).map_err(|error| format!("mount the root: {error}"))?;
        sources.sort_by_key(|source| source.inside.components().count());
        for source in &sources {
            attach(&root.mount, source)?;
        }
        enter(&root.mount).map_err(|error| format!("change the root: {error}"))?;
        Ok(namespace)
    }

    fn sources(&self) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        for bind in &self.spec.binds {
            let host = real(&bind.host)?;
            let source = Source::take(&host, &bind.inside)?;
            mounts::protect(&source.mount, self.files)
                .map_err(|error| format!("make {} read-only: {error}", bind.host.display()))?;
            sources.push(source);
        }
        if self.nested {
            sources.push(Source::take(Path::new("/proc"), Path::new("/proc"))?);
            for (name, ..) in DEVICES {
                let path = Path::new("/dev").join(name);
                sources.push(Source::take(&path, &path)?);
            }
        }
        Ok(sources)
    }

    /// Makes everything in the root that is not a mount.
    fn furnish(&self, root: &OwnedFd, sources: &mut [Source]) -> Result<(), String> {
        for path in OWN.iter().map(Path::new).chain(self.spec.directories.iter().map(PathBuf::as_path)) {
            directory(root, path).map_err(|error| describe("make the directory", path, error))?;
        }
        for source in sources {
            let made = if source.is_directory {
                directory(root, &source.inside).map(drop)
            } else {
                file(root, &source.inside, "", 0o644)
            };
            made.map_err(|error| describe("make a place for", &source.inside, error))?;
        }
        for wanted in &self.spec.files {
            file(root, &wanted.inside, &wanted.contents, wanted.mode)
                .map_err(|error| describe("write", &wanted.inside, error))?;
        }
        let links = self.spec.symlinks.iter().map(|link| (link.target.as_path(), link.inside.as_path()));
        for (target, inside) in
            links.chain(DEVICE_LINKS.iter().map(|(target, inside)| (Path::new(target), Path::new(inside))))
        {
            symlink(root, target, inside).map_err(|error| describe("make the link", inside, error))?;
        }
        if self.nested { Ok(()) } else { devices(root).map_err(|error| format!("make devices: {error}")) }
    }

    fn protect(&self, root: &OwnedFd) -> Result<(), String> {
        // Its devices must work, so unlike what comes from the host it allows them.
        let read_only = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
        let mapped = self.files.is_some() && sys::set_mount_attributes(root, read_only, self.files).is_ok();
        if mapped {
            return Ok(());
        }
        sys::set_mount_attributes(root, read_only, None)
            .map_err(|error| format!("make the root read-only: {error}"))
    }
}

/// Where a bind's path leads. A link may not lead to what may not be named.
fn real(host: &Path) -> Result<PathBuf, String> {
    let real = host.canonicalize().map_err(|error| format!("take {}: {error}", host.display()))?;
    message::check_shown(&real)?;
    Ok(real)
}

impl Source {
    fn take(host: &Path, inside: &Path) -> Result<Self, String> {
        let mount = mounts::copy(host).map_err(|error| format!("take {}: {error}", host.display()))?;
        let kind =
            rustix::fs::fstat(&mount).map_err(|error| format!("look at {}: {error}", host.display()))?;
        let is_directory = FileType::from_raw_mode(kind.st_mode) == FileType::Directory;
        Ok(Self { mount, inside: inside.to_owned(), is_directory })
    }
}

fn describe(what: &str, path: &Path, error: io::Error) -> String {
    format!("{what} {} in a template: {error}", path.display())
}

fn attach(root: &OwnedFd, source: &Source) -> Result<(), String> {
    mounts::open_place(root, &source.inside)
        .and_then(|place| mounts::attach(&source.mount, &place))
        .map_err(|error| describe("mount at", &source.inside, error))
}

fn enter(root: &OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Makes a directory and those above it, never through a link or another mount, and opens it.
fn directory(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let mut current = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for part in path.strip_prefix("/").unwrap_or(path) {
        match rustix::fs::mkdirat(&current, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        current = openat2(
            &current,
            part,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )?;
    }
    Ok(current)
}

fn split(root: &OwnedFd, path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok((directory(root, parent)?, name.into()))
}

fn file(root: &OwnedFd, path: &Path, contents: &str, mode: u32) -> io::Result<()> {
    let (parent, name) = split(root, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o600))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    io::Write::write_all(&mut std::fs::File::from(file), contents.as_bytes())
}

fn symlink(root: &OwnedFd, target: &Path, path: &Path) -> io::Result<()> {
    let (parent, name) = split(root, path)?;
    Ok(rustix::fs::symlinkat(target, &parent, name)?)
}

fn devices(root: &OwnedFd) -> io::Result<()> {
    let parent = directory(root, Path::new("/dev"))?;
    for (name, major, minor) in DEVICES {
        let device = rustix::fs::makedev(*major, *minor);
        rustix::fs::mknodat(&parent, *name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), device)?;
        // The umask took some of it.
        rustix::fs::chmodat(&parent, *name, Mode::from_raw_mode(0o666), rustix::fs::AtFlags::empty())?;
    }
    Ok(())
}

/// Whether this process is in a user namespace rather than the machine's own.
pub(super) fn is_nested() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let place = tempfile::tempdir().unwrap();
        let fd =
            rustix::fs::openat(CWD, place.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        (place, fd)
    }

    #[test]
    fn a_file_is_made_with_the_directories_above_it() {
        let (place, fd) = root();
        file(&fd, Path::new("/etc/deep/hosts"), "127.0.0.1 localhost\n", 0o644).unwrap();
        let text = std::fs::read_to_string(place.path().join("etc/deep/hosts")).unwrap();
        assert_eq!(text, "127.0.0.1 localhost\n");
    }

    #[test]
    fn nothing_is_made_through_a_link() {
        let (_place, fd) = root();
        let outside = tempfile::tempdir().unwrap();
        symlink(&fd, outside.path(), Path::new("/lib")).unwrap();
        assert!(directory(&fd, Path::new("/lib/here")).is_err());
        assert!(file(&fd, Path::new("/lib/here"), "", 0o644).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
