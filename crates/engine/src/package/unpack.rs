//! Writes an archive's files beneath a directory. Blocking: for the threads that may wait.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use bytes::Bytes;
use domain::limits::UNZIPPED_BYTES;

use super::PackageError;
use super::packages::UnpackError;
use super::plan::{self, Archive, Node};

/// Directories and executable files, as Lambda has them: readable by everyone, writable by their owner alone.
const MODE_EXECUTABLE: u32 = 0o755;
/// Other files.
const MODE_FILE: u32 = 0o644;

/// Makes `root`, which must not exist.
pub(super) fn make_root(root: &Path) -> Result<(), UnpackError> {
    make_directory(root).map_err(UnpackError::io("make", root))
}

/// Unpacks `zip` beneath `root`, over what other layers have put there: a later file replaces an earlier one.
pub(super) fn unpack_over(zip: &Bytes, root: &Path) -> Result<(), UnpackError> {
    let (mut archive, plan) = plan::read(zip)?;
    let mut budget_bytes = UNZIPPED_BYTES;
    for (path, node) in plan.nodes() {
        let path = root.join(path);
        match node {
            Node::Directory => place_directory(&path).map_err(UnpackError::io("make", &path))?,
            Node::Link { target } => {
                replacing(&path, |path| symlink(target, path)).map_err(UnpackError::io("link", &path))?;
            }
            Node::File { index, executable } => {
                write_file(&mut archive, *index, &path, *executable, &mut budget_bytes)?;
            }
        }
    }
    Ok(())
}

fn write_file(
    archive: &mut Archive,
    index: usize,
    path: &Path,
    executable: bool,
    budget_bytes: &mut u64,
) -> Result<(), UnpackError> {
    let mut content = archive.by_index(index).map_err(PackageError::unreadable)?;
    let mode = if executable { MODE_EXECUTABLE } else { MODE_FILE };
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = replacing(path, create).map_err(UnpackError::io("create", path))?;
    copy(&mut content, &mut file, budget_bytes, path)?;
    // The mode given to open is cut by the umask.
    file.set_permissions(Permissions::from_mode(mode)).map_err(UnpackError::io("set the mode of", path))
}

/// Tells a damaged zip from a full disk, which [`io::copy`] would not.
fn copy(from: &mut impl Read, to: &mut File, budget_bytes: &mut u64, path: &Path) -> Result<(), UnpackError> {
    let mut buffer = [0; 32 * 1024];
    loop {
        let count = from.read(&mut buffer).map_err(PackageError::unreadable)?;
        if count == 0 {
            return Ok(());
        }
        *budget_bytes = budget_bytes
            .checked_sub(count as u64)
            .ok_or(UnpackError::Package(PackageError::UnzippedTooLarge))?;
        to.write_all(&buffer[..count]).map_err(UnpackError::io("write", path))?;
    }
}

fn place_directory(path: &Path) -> io::Result<()> {
    match make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A link to a directory is no directory: what follows must not be written through it.
            let is_there = fs::symlink_metadata(path)?.is_dir();
            if is_there { Ok(()) } else { fs::remove_file(path).and_then(|()| make_directory(path)) }
        }
        made => made,
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(MODE_EXECUTABLE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE_EXECUTABLE))
}

/// Makes a file or link with `create`, which fails if anything is there; then removes that and tries again.
fn replacing<T>(path: &Path, create: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_directory = fs::symlink_metadata(path)?.is_dir();
            if is_directory {
                fs::remove_dir_all(path)?
            } else {
                fs::remove_file(path)?
            }
            create(path)
        }
        created => created,
    }
}
