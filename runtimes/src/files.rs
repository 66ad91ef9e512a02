//! Writing files so that a reader sees all of one or none.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces `path` by a file that everybody may read: functions run as somebody else. Concurrent writers each write a file of their own and the last rename wins.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(directory)?;
    let partial = directory.join(partial_name());
    std::fs::write(&partial, bytes)?;
    std::fs::set_permissions(&partial, Permissions::from_mode(0o644))?;
    std::fs::rename(&partial, path).inspect_err(|_| {
        // The rename's error is the one to tell of.
        let _ = std::fs::remove_file(&partial);
    })
}

/// Makes a directory that everybody may look into.
pub fn create_readable_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// A name that no other writer uses.
pub fn partial_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(".partial-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
