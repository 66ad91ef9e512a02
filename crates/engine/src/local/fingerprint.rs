//! Whether anything in a folder has changed: its files' names, sizes, and when they were last touched.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

/// Folders that change without the function changing.
const LEFT_OUT: [&str; 4] = [".git", ".hg", ".svn", "__pycache__"];
/// More files than any package may have: looking at them before each invocation would take too long.
const ENTRIES_MAX: usize = 100_000;
/// The kernel marks changes with the time of its last tick. Two changes within one look alike, so what was touched just
/// now is looked at again a little later.
const TICK: Duration = Duration::from_millis(12);

/// What a folder looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Looks at a folder. Links are not followed: a function cannot follow them out either.
    pub async fn of(folder: &Path) -> io::Result<Self> {
        loop {
            let begun = now();
            let looked = tokio::task::spawn_blocking({
                let folder = folder.to_owned();
                move || look(&folder)
            });
            let (fingerprint, newest) = looked.await.map_err(io::Error::other)??;
            let age = begun.saturating_sub(newest);
            // A time in the future says nothing about now.
            if age >= TICK || newest > begun + TICK {
                return Ok(fingerprint);
            }
            tokio::time::sleep(TICK - age).await;
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The fingerprint, and when the newest of what it covers was touched.
fn look(folder: &Path) -> io::Result<(Fingerprint, Duration)> {
    let (mut digest, mut newest, mut seen) = (Sha256::new(), Duration::ZERO, 0);
    let root = fs::metadata(folder)?;
    if !root.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    newest = newest.max(note(&mut digest, &root, folder));
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(directory) = open.pop() {
        let mut entries = fs::read_dir(&directory)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if LEFT_OUT.iter().any(|left| entry.file_name() == *left) {
                continue;
            }
            seen += 1;
            if seen > ENTRIES_MAX {
                return Err(io::Error::other(format!("it has more than {ENTRIES_MAX} files")));
            }
            // What is gone since it was listed has changed its folder, which the next look sees.
            let Ok(found) = entry.metadata() else { continue };
            newest = newest.max(note(&mut digest, &found, &entry.path()));
            if found.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok((Fingerprint(digest.finalize().into()), newest))
}

/// Takes one entry in. A folder's own times tell nothing that its entries do not, and change with what is left out.
fn note(digest: &mut Sha256, found: &fs::Metadata, path: &Path) -> Duration {
    digest.update(path.as_os_str().as_encoded_bytes());
    digest.update([0]);
    digest.update(found.ino().to_le_bytes());
    digest.update(found.mode().to_le_bytes());
    if found.is_dir() {
        return Duration::ZERO;
    }
    // Its status changes with its content, and no tool sets that time back.
    digest.update(found.size().to_le_bytes());
    digest.update(found.ctime().to_le_bytes());
    digest.update(found.ctime_nsec().to_le_bytes());
    Duration::from_secs(found.ctime().unsigned_abs())
        + Duration::from_nanos(found.ctime_nsec().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_change_shows_and_looking_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let look = async || Fingerprint::of(folder.path()).await.unwrap();
        let mut seen = vec![look().await];
        let mut check = async |what: &str| {
            let now = look().await;
            assert_eq!(now, look().await, "{what}");
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(path("a"), "1").unwrap();
        check("a new file").await;
        fs::write(path("a"), "2").unwrap();
        check("as many bytes at once").await;
        fs::rename(path("a"), path("b")).unwrap();
        check("another name").await;
        fs::create_dir(path("d")).unwrap();
        check("a folder").await;
        fs::write(path("d/x"), "").unwrap();
        check("a file in it").await;
        fs::remove_file(path("d/x")).unwrap();
        fs::write(path("d/x"), "").unwrap();
        check("the same file again").await;
        std::os::unix::fs::symlink("b", path("l")).unwrap();
        check("a link").await;
        let before = look().await;
        fs::create_dir(path(".git")).unwrap();
        fs::write(path(".git/index"), "").unwrap();
        fs::create_dir(path("d/__pycache__")).unwrap();
        fs::write(path("d/__pycache__/x.pyc"), "").unwrap();
        assert_eq!(look().await, before);
    }

    #[tokio::test]
    async fn what_is_no_folder_has_no_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "").unwrap();
        assert!(Fingerprint::of(&file).await.is_err());
        assert!(Fingerprint::of(&folder.path().join("nothing")).await.is_err());
    }
}
