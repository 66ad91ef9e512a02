//! The directory a store lives in: made private, held by one server at a time, and gone when it was ephemeral.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, StatVfsMountFlags, flock, statvfs};
use uuid::Uuid;

use crate::OpenError;
use crate::format::sync_directory;

const LOCK_NAME: &str = "lock";
/// Ephemeral directories are `hearth-ephemeral-<random>`. One gets this name only once it is locked, so that one
/// whose lock is free belongs to a server that has died.
const EPHEMERAL_PREFIX: &str = "hearth-ephemeral-";
/// Memory-backed storage, unless it is too small or may not hold programs (both common in containers).
const MEMORY_DIRECTORY: &str = "/dev/shm";
const MEMORY_FREE_BYTES_MIN: u64 = 1 << 30;

/// A locked directory. The lock ends with this value, or with the process however it ends.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    ephemeral: bool,
    /// Open for as long as the directory is ours.
    _lock: File,
}

impl Home {
    /// Takes a directory that exists for good, making it if need be.
    pub(crate) fn at(path: &Path) -> Result<Self, OpenError> {
        let missing = path.ancestors().filter(|at| !at.as_os_str().is_empty() && !at.exists()).count();
        private_directories(path)?;
        let path = path.canonicalize().map_err(|error| OpenError::io("resolve", path, error))?;
        for parent in path.ancestors().skip(1).take(missing) {
            sync_directory(parent).map_err(|error| OpenError::io("flush", parent, error))?;
        }
        let lock = lock(&path)?;
        Ok(Self { path, ephemeral: false, _lock: lock })
    }

    /// Makes a directory for this process's life, after removing those of processes that have died.
    pub(crate) fn ephemeral() -> Result<Self, OpenError> {
        let parent = fastest_directory();
        remove_abandoned(&parent);
        let name = format!("{EPHEMERAL_PREFIX}{}", Uuid::new_v4().simple());
        let unlocked = parent.join(format!(".{name}"));
        private_directories(&unlocked)?;
        let lock = lock(&unlocked)?;
        let path = parent.join(name);
        fs::rename(&unlocked, &path).map_err(|error| OpenError::io("rename", &unlocked, error))?;
        Ok(Self { path, ephemeral: true, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Removes the directory, if it was never meant to stay.
    pub(crate) fn remove_if_ephemeral(&self) {
        if self.ephemeral
            && let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %self.path.display(), %error, "ephemeral data was not removed");
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.remove_if_ephemeral();
    }
}

/// Makes a directory and its missing parents, readable by this user alone.
pub(crate) fn private_directories(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| OpenError::io("create", path, error))
}

/// Takes the directory's lock and writes our process id into it for others to name.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_NAME);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| OpenError::io("open", &path, error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { directory: directory.to_owned(), pid });
        }
        Err(error) => return Err(OpenError::io("lock", &path, error.into())),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| OpenError::io("write", &path, error))?;
    Ok(file)
}

fn fastest_directory() -> PathBuf {
    let memory = Path::new(MEMORY_DIRECTORY);
    if suits(memory) { memory.to_owned() } else { std::env::temp_dir() }
}

fn suits(directory: &Path) -> bool {
    let Ok(space) = statvfs(directory) else { return false };
    let writable = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok();
    writable
        && space.f_bavail.saturating_mul(space.f_frsize) >= MEMORY_FREE_BYTES_MIN
        && !space.f_flag.intersects(StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY)
}

/// Removes what killed servers of this user left. What cannot be removed is left for the next time.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(EPHEMERAL_PREFIX) {
            continue;
        }
        match remove_if_abandoned(&entry.path()) {
            Ok(true) => {
                tracing::info!(directory = %entry.path().display(), "removed abandoned ephemeral data")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(directory = %entry.path().display(), %error, "abandoned data not removed");
            }
        }
    }
}

fn remove_if_abandoned(directory: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    let lock = match OpenOptions::new().read(true).open(directory.join(LOCK_NAME)) {
        Ok(lock) => lock,
        // A removal that was itself killed after it had taken the lock file away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fs::remove_dir_all(directory).map(|()| true);
        }
        Err(error) => return Err(error),
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    fs::remove_dir_all(directory).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ephemeral_directory_is_private_and_goes_with_its_server() {
        let home = Home::ephemeral().unwrap();
        let path = home.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn abandoned_data_is_removed_and_that_of_the_living_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let [dead, alive, other] =
            ["hearth-ephemeral-dead", "hearth-ephemeral-alive", "mine"].map(|name| parent.path().join(name));
        for directory in [&dead, &alive, &other] {
            private_directories(directory).unwrap();
            drop(lock(directory).unwrap());
        }
        let _held = lock(&alive).unwrap();
        remove_abandoned(parent.path());
        assert_eq!([&dead, &alive, &other].map(|directory| directory.exists()), [false, true, true]);
    }

    #[test]
    fn a_second_lock_names_the_process_that_has_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let _held = lock(directory.path()).unwrap();
        let error = lock(directory.path()).unwrap_err();
        assert!(
            matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
    }
}
