//! Unpacked packages on disk: made once for each content, shared by every environment that runs it.
//!
//! ```text
//! <data>/code/<sha256 of the zip>/          what /var/task is
//! <data>/code/layers-<sha256 of the list>/  what /opt is, for a list of layers
//! <data>/code/.making-…, .removed-…         work in progress, or a crash's leftovers: deleted at start
//! ```
//!
//! All of it is a cache of the blobs. Nothing is flushed to the disk while a function is being deployed; instead the
//! cache is thrown away when the machine has booted since it was written, because only then can a directory have
//! survived without the contents of its files.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::CodeRef;
use sha2::{Digest, Sha256};
use store::{BlobId, Blobs};
use tokio::sync::{OnceCell, Semaphore};
use tracing::warn;
use uuid::Uuid;

use super::{PackageError, unpack};

/// Reads stored zips; on a thread that may wait.
#[derive(Clone)]
pub struct Source(Arc<ReadZip>);

type ReadZip = dyn Fn(&CodeRef) -> io::Result<Bytes> + Send + Sync;

impl From<Blobs> for Source {
    fn from(blobs: Blobs) -> Self {
        Self(Arc::new(move |code| read_blob(&blobs, code)))
    }
}

impl<F: Fn(&CodeRef) -> io::Result<Bytes> + Send + Sync + 'static> From<Arc<F>> for Source {
    fn from(read: Arc<F>) -> Self {
        Self(read)
    }
}

const MAKING: &str = ".making-";
const REMOVED: &str = ".removed-";
/// Names the boot of the machine in which the cache was written.
const BOOT_MARKER: &str = ".boot-id";

/// A package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The reference is no SHA-256 in lower-case hex.
    #[error("{0:?} does not name a package")]
    Reference(CodeRef),
    /// The zip itself could not be read.
    #[error("read package {}", code.0)]
    Blob {
        /// Which.
        code: CodeRef,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The zip is not one that [`inspect`](super::inspect) accepts.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The directory could not be written.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Unpacking panicked.
    #[error("unpacking ended early")]
    Died,
}

impl UnpackError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// The unpacked packages. A cheap handle.
#[derive(Clone)]
pub struct Packages {
    inner: Arc<Inner>,
}

struct Inner {
    code_dir: PathBuf,
    source: Source,
    /// What is unpacked or being unpacked, by directory name: callers for the same content wait for one of them.
    known: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
    /// Each unpack holds a whole zip in memory, so there are never more than processors.
    at_once: Semaphore,
}

impl Packages {
    /// Opens the cache in `code_dir`, making it if needed. Leftovers of a crash are deleted in the background.
    pub fn new(code_dir: impl Into<PathBuf>, source: impl Into<Source>) -> io::Result<Self> {
        let (code_dir, source) = (code_dir.into(), source.into());
        fs::create_dir_all(&code_dir)?;
        let leftovers = find_leftovers(&code_dir, &boot_id())?;
        if !leftovers.is_empty() {
            std::thread::spawn(move || leftovers.iter().for_each(|path| delete(path)));
        }
        let at_once =
            Semaphore::new(std::thread::available_parallelism().map_or(2, |count| count.get().max(2)));
        Ok(Self { inner: Arc::new(Inner { code_dir, source, known: Mutex::default(), at_once }) })
    }

    /// The directory that a package is unpacked in, unpacking it if it is not; or the folder itself.
    pub async fn unpacked(&self, code: &CodeRef) -> Result<PathBuf, UnpackError> {
        if let Some(folder) = code.folder() {
            let found = tokio::fs::read_dir(folder).await;
            return found.map(|_| folder.to_owned()).map_err(UnpackError::io("open", folder));
        }
        self.directory(unpacked_name(code)?, std::slice::from_ref(code)).await
    }

    /// One directory for a list of layers, each unpacked over those before it, as Lambda fills `/opt`.
    pub async fn merged(&self, layers: &[CodeRef]) -> Result<PathBuf, UnpackError> {
        self.directory(Self::merged_name(layers)?, layers).await
    }

    /// Deletes a package's directory. The caller knows that no function names it and no environment runs it; should
    /// it be asked for again, it is unpacked again.
    pub async fn remove(&self, code: &CodeRef) -> Result<(), UnpackError> {
        self.remove_directory(unpacked_name(code)?).await
    }

    /// Deletes the directories whose names `keep` refuses: SHA-256 of zips, and `layers-…` of lists of them (see
    /// [`Packages::merged_name`]). Under the same conditions as [`Packages::remove`].
    pub async fn retain(&self, keep: impl Fn(&str) -> bool + Send + 'static) -> Result<(), UnpackError> {
        let inner = self.inner.clone();
        let removed = tokio::task::spawn_blocking(move || inner.retain(keep)).await;
        removed.unwrap_or(Err(UnpackError::Died))
    }

    /// The name of the directory of a list of layers.
    pub fn merged_name(layers: &[CodeRef]) -> Result<String, UnpackError> {
        match layers {
            [only] => unpacked_name(only),
            _ => list_name(layers),
        }
    }

    async fn directory(&self, name: String, zips: &[CodeRef]) -> Result<PathBuf, UnpackError> {
        let cell = {
            let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(name.clone()).or_default().clone()
        };
        let made = cell.get_or_try_init(|| async {
            let permit = self.inner.at_once.acquire().await.map_err(|_closed| UnpackError::Died)?;
            let (inner, zips) = (self.inner.clone(), zips.to_vec());
            let made = tokio::task::spawn_blocking(move || inner.make(&name, &zips)).await;
            drop(permit);
            made.unwrap_or(Err(UnpackError::Died))
        });
        made.await.cloned()
    }

    async fn remove_directory(&self, name: String) -> Result<(), UnpackError> {
        let inner = self.inner.clone();
        let removed = tokio::task::spawn_blocking(move || inner.remove(&name)).await;
        removed.unwrap_or(Err(UnpackError::Died))
    }
}

impl Inner {
    fn make(&self, name: &str, zips: &[CodeRef]) -> Result<PathBuf, UnpackError> {
        let place = self.code_dir.join(name);
        if place.is_dir() {
            return Ok(place);
        }
        let making = self.code_dir.join(format!("{MAKING}{}", Uuid::new_v4()));
        let made = self.make_in(&making, zips).and_then(|()| publish(&making, &place));
        if made.is_err()
            && let Err(error) = fs::remove_dir_all(&making)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(path = %making.display(), %error, "a half-unpacked package stays until the next start");
        }
        made.map(|()| place)
    }

    fn make_in(&self, making: &Path, zips: &[CodeRef]) -> Result<(), UnpackError> {
        unpack::make_root(making)?;
        for code in zips {
            let zip =
                (self.source.0)(code).map_err(|source| UnpackError::Blob { code: code.clone(), source })?;
            unpack::unpack_over(&zip, making)?;
        }
        Ok(())
    }

    fn retain(&self, keep: impl Fn(&str) -> bool) -> Result<(), UnpackError> {
        let entries = fs::read_dir(&self.code_dir).map_err(UnpackError::io("read", &self.code_dir))?;
        for entry in entries {
            let name = entry.map_err(UnpackError::io("read", &self.code_dir))?.file_name();
            let name = name.to_string_lossy();
            // Our own files start with a dot.
            if !name.starts_with('.') && !keep(&name) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), UnpackError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let place = self.code_dir.join(name);
        // Renamed first: nobody may find a directory that is half gone.
        let removed = self.code_dir.join(format!("{REMOVED}{}", Uuid::new_v4()));
        match fs::rename(&place, &removed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(UnpackError::io("remove", &place)(error)),
            Ok(()) => fs::remove_dir_all(&removed).map_err(UnpackError::io("remove", &removed)),
        }
    }
}

fn read_blob(blobs: &Blobs, code: &CodeRef) -> io::Result<Bytes> {
    let id: BlobId = code.0.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut file = blobs.open_file(&id).map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
    let mut zip = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or_default());
    file.read_to_end(&mut zip)?;
    Ok(zip.into())
}

/// Gives the finished directory its name. Someone else may have made the same one meanwhile, which is as good.
fn publish(making: &Path, place: &Path) -> Result<(), UnpackError> {
    match fs::rename(making, place) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
        {
            fs::remove_dir_all(making).map_err(UnpackError::io("remove", making))
        }
        renamed => renamed.map_err(UnpackError::io("rename", making)),
    }
}

fn unpacked_name(code: &CodeRef) -> Result<String, UnpackError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_sha256 = code.0.len() == 64 && code.0.bytes().all(is_hex);
    if is_sha256 { Ok(code.0.clone()) } else { Err(UnpackError::Reference(code.clone())) }
}

fn list_name(layers: &[CodeRef]) -> Result<String, UnpackError> {
    let mut list = Sha256::new();
    for layer in layers {
        list.update(unpacked_name(layer)?);
        list.update("\n");
    }
    let hex: String = list.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("layers-{hex}"))
}

/// Empty where the kernel does not say, and then no cache is trusted.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// What earlier runs left, to be deleted; nothing of it keeps a name that is looked up.
fn find_leftovers(code_dir: &Path, boot_id: &str) -> io::Result<Vec<PathBuf>> {
    let marker = code_dir.join(BOOT_MARKER);
    let same_boot =
        !boot_id.is_empty() && fs::read_to_string(&marker).is_ok_and(|written| written == boot_id);
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(code_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == BOOT_MARKER {
            continue;
        }
        if name.starts_with(MAKING) || name.starts_with(REMOVED) {
            leftovers.push(entry.path());
        } else if !same_boot {
            let removed = code_dir.join(format!("{REMOVED}{}", Uuid::new_v4()));
            fs::rename(entry.path(), &removed)?;
            leftovers.push(removed);
        }
    }
    // Only now: a crash before this line repeats the renames.
    fs::write(&marker, boot_id)?;
    Ok(leftovers)
}

fn delete(path: &Path) {
    let deleted = match fs::symlink_metadata(path) {
        Ok(existing) if existing.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = deleted {
        warn!(path = %path.display(), %error, "a leftover of an earlier run could not be deleted");
    }
}

#[cfg(test)]
#[path = "packages_tests.rs"]
mod tests;
