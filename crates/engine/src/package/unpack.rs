//! Writes an archive's files beneath a directory. Blocking: for the threads that may wait.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use domain::limits::UNZIPPED_BYTES;
use zip::ExtraField;

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
    // A compiled Python module fits its source only if the source is exactly as old as it says.
    let modified = content.extra_data_fields().find_map(modified);
    copy(&mut content, &mut file, budget_bytes, path)?;
    if let Some(modified) = modified {
        file.set_modified(modified).map_err(UnpackError::io("set the time of", path))?;
    }
    // The mode given to open is cut by the umask.
    file.set_permissions(Permissions::from_mode(mode)).map_err(UnpackError::io("set the mode of", path))
}

/// To the second, where the zip says it so; its other form is to two seconds, in the time zone of whoever made it.
fn modified(field: &ExtraField) -> Option<SystemTime> {
    let ExtraField::ExtendedTimestamp(times) = field else { return None };
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(times.mod_time()?.into()))
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

#[cfg(test)]
mod tests {
    use zip::write::{FullFileOptions, ZipWriter};

    use super::*;

    #[test]
    fn a_file_is_as_old_as_the_zip_says_to_the_second() {
        const EXTENDED_TIMESTAMP: u16 = 0x5455;
        let (modified, seconds) = (1u8, 1_600_000_001u32);
        let mut times = vec![modified];
        times.extend(seconds.to_le_bytes());
        let mut options = FullFileOptions::default();
        options.add_extra_field(EXTENDED_TIMESTAMP, times, false).unwrap();
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        writer.start_file("old.py", options).unwrap();
        writer.start_file("new.py", FullFileOptions::default()).unwrap();
        let zip = Bytes::from(writer.finish().unwrap().into_inner());
        let root = tempfile::tempdir().unwrap();
        unpack_over(&zip, root.path()).unwrap();
        let age = |name: &str| fs::metadata(root.path().join(name)).unwrap().modified().unwrap();
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
        assert_eq!(age("old.py"), expected);
        assert!(age("new.py") > expected);
    }
}
