//! Writing files so that a reader sees all of one or none.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces `path`. Concurrent writers each write a file of their own and the last rename wins.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(directory)?;
    let partial = directory.join(partial_name());
    std::fs::write(&partial, bytes)?;
    std::fs::rename(&partial, path).inspect_err(|_| {
        // The rename's error is the one to tell of.
        let _ = std::fs::remove_file(&partial);
    })
}

/// A name that no other writer uses.
pub fn partial_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(".partial-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
