//! Files kept by the SHA-256 of their content: deployment packages, and whatever else is large and never changes.
//!
//! `blobs/ab/cd/abcd…` holds the content, `blobs/tmp/` what is being written. A file appears under its name only
//! once its content is on the disk, so that what is there is whole.

use std::collections::HashSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use std::{fmt, iter};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::format::{Durability, sync_directory};
use crate::home::{Home, private_directories};
use crate::{Error, OpenError, Part, decode_bytes, encode_bytes};

/// The name of a blob: the SHA-256 of its content in lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(Arc<str>);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a blob")]
pub struct InvalidBlobId(String);

impl BlobId {
    /// The name that this content has.
    pub fn of(content: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(content).into();
        let hex = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
        let text: String = digest.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 0xF)]).collect();
        Self(text.into())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stripe, which is the directory of the first level.
    fn stripe(&self) -> usize {
        usize::from_str_radix(&self.0[..2], 16).expect("a name is hex")
    }
}

impl FromStr for BlobId {
    type Err = InvalidBlobId;

    fn from_str(text: &str) -> Result<Self, InvalidBlobId> {
        let legal = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if legal { Ok(Self(text.into())) } else { Err(InvalidBlobId(text.to_owned())) }
    }
}

impl TryFrom<String> for BlobId {
    type Error = InvalidBlobId;

    fn try_from(text: String) -> Result<Self, InvalidBlobId> {
        text.parse()
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Part for BlobId {
    fn encode_part(&self, out: &mut Vec<u8>) {
        encode_bytes(self.0.as_bytes(), out);
    }

    fn decode_part(bytes: &mut &[u8]) -> Option<Self> {
        std::str::from_utf8(&decode_bytes(bytes)?).ok()?.parse().ok()
    }
}

/// A handle on the blobs of a store; clones are handles on the same ones.
///
/// The methods that return a future do their work on the blocking threads of the tokio runtime that polls them.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    durability: Durability,
    /// One lock for each first-level directory, held while a file in it appears or goes.
    stripes: Vec<Mutex<Stripe>>,
    /// Keeps the directory ours while a handle lives.
    _home: Arc<Home>,
}

#[derive(Default)]
struct Stripe {
    /// The second-level directories whose names and entries are known to be on the disk.
    durable: HashSet<PathBuf>,
}

impl Blobs {
    pub(crate) fn open(home: Arc<Home>, durability: Durability) -> Result<Self, OpenError> {
        let root = home.path().join("blobs");
        let unfinished = root.join("tmp");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::io("remove", unfinished, error));
            }
            _ => private_directories(&unfinished)?,
        }
        if durability == Durability::Durable {
            sync_directory(home.path()).map_err(|error| OpenError::io("flush", home.path(), error))?;
        }
        let stripes = iter::repeat_with(Mutex::default).take(256).collect();
        Ok(Self { inner: Arc::new(Inner { root, durability, stripes, _home: home }) })
    }

    /// Keeps this content, and answers when it is on the disk. Content that is already there is not written again;
    /// it counts as new for [`Blobs::retain`].
    pub async fn put(&self, content: Bytes) -> Result<BlobId, Error> {
        self.blocking(move |inner| inner.put(&content)).await
    }

    /// Where the content of a blob is, or would be. Readers must not change the file; it may go when the blob is
    /// deleted, but it is never half-written.
    pub fn path(&self, id: &BlobId) -> PathBuf {
        self.inner.path(id)
    }

    /// Whether the blob is there.
    pub fn contains(&self, id: &BlobId) -> bool {
        self.inner.path(id).exists()
    }

    /// The blob as an open file, which stays readable even if the blob is deleted meanwhile. Nothing if it is not
    /// there.
    pub fn open_file(&self, id: &BlobId) -> Result<Option<File>, Error> {
        let path = self.inner.path(id);
        found(File::open(&path)).map_err(|error| Error::blob("open", path, error))
    }

    /// The content of a blob. Nothing if it is not there.
    pub async fn read(&self, id: &BlobId) -> Result<Option<Bytes>, Error> {
        let path = self.inner.path(id);
        self.blocking(move |_| {
            let content = found(fs::read(&path)).map_err(|error| Error::blob("read", path, error))?;
            Ok(content.map(Bytes::from))
        })
        .await
    }

    /// Removes a blob, if it is there: false if it was not. Mind that equal contents are one blob; where several
    /// records may name it, use [`Blobs::retain`]. A deletion may be undone by a loss of power.
    pub async fn delete(&self, id: &BlobId) -> Result<bool, Error> {
        let id = id.clone();
        self.blocking(move |inner| {
            let _stripe = inner.stripe(&id);
            inner.delete(&id)
        })
        .await
    }

    /// The blobs that are there, in the order of their names.
    pub async fn list(&self) -> Result<Vec<BlobId>, Error> {
        self.blocking(|inner| inner.list()).await
    }

    /// Collects garbage: removes the blobs that `keep` refuses, and tells how many. Those put (again) within the
    /// last `age_min` are not asked about, because the record that names a blob is written after the blob itself.
    pub async fn retain<F>(&self, age_min: Duration, mut keep: F) -> Result<usize, Error>
    where
        F: FnMut(&BlobId) -> bool + Send + 'static,
    {
        self.blocking(move |inner| {
            let put_before = SystemTime::now().checked_sub(age_min).unwrap_or(SystemTime::UNIX_EPOCH);
            inner.remove(|id, modified| modified <= put_before && !keep(id))
        })
        .await
    }

    /// Removes every blob.
    pub(crate) async fn clear(&self) -> Result<(), Error> {
        self.blocking(|inner| inner.remove(|_, _| true)).await.map(|_| ())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Closed),
        }
    }
}

impl Inner {
    fn path(&self, id: &BlobId) -> PathBuf {
        self.directory(id).join(id.as_str())
    }

    fn directory(&self, id: &BlobId) -> PathBuf {
        self.root.join(&id.as_str()[..2]).join(&id.as_str()[2..4])
    }

    fn stripe(&self, id: &BlobId) -> MutexGuard<'_, Stripe> {
        // A stripe remembers only what was done: one left by a panic is as good as any.
        self.stripes[id.stripe()].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn put(&self, content: &[u8]) -> Result<BlobId, Error> {
        let id = BlobId::of(content);
        let path = self.path(&id);
        let mut stripe = self.stripe(&id);
        self.make_durable_directory(&id, &mut stripe)?;
        if touch(&path).map_err(|error| Error::blob("touch", &path, error))? {
            return Ok(id);
        }
        let unfinished = self.root.join("tmp").join(Uuid::new_v4().simple().to_string());
        let written = self.write(&unfinished, &path, content);
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written.map(|()| id)
    }

    fn write(&self, unfinished: &Path, path: &Path, content: &[u8]) -> Result<(), Error> {
        let failed = |error| Error::blob("write", unfinished, error);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        if self.durability == Durability::Durable {
            file.sync_all().map_err(failed)?;
        }
        fs::rename(unfinished, path).map_err(|error| Error::blob("rename", unfinished, error))?;
        self.sync(path.parent().expect("a blob is in a directory"))
    }

    /// After this, the directory and everything that was in it survive a loss of power, whoever made them.
    fn make_durable_directory(&self, id: &BlobId, stripe: &mut Stripe) -> Result<(), Error> {
        let directory = self.directory(id);
        if stripe.durable.contains(&directory) {
            return Ok(());
        }
        fs::create_dir_all(&directory).map_err(|error| Error::blob("create", &directory, error))?;
        for directory in directory.ancestors().take(3) {
            self.sync(directory)?;
        }
        stripe.durable.insert(directory);
        Ok(())
    }

    fn sync(&self, directory: &Path) -> Result<(), Error> {
        match self.durability {
            Durability::Ephemeral => Ok(()),
            Durability::Durable => {
                sync_directory(directory).map_err(|error| Error::blob("flush", directory, error))
            }
        }
    }

    fn delete(&self, id: &BlobId) -> Result<bool, Error> {
        let path = self.path(id);
        let removed = found(fs::remove_file(&path)).map_err(|error| Error::blob("remove", path, error))?;
        Ok(removed.is_some())
    }

    /// Removes the blobs of which the name and the time of the last put are condemned, and tells how many.
    fn remove(&self, mut condemned: impl FnMut(&BlobId, SystemTime) -> bool) -> Result<usize, Error> {
        let mut removed = 0;
        for id in self.list()? {
            // Under the lock, so that a blob is not put again between the look at its age and its removal.
            let _stripe = self.stripe(&id);
            let path = self.path(&id);
            let modified = found(fs::metadata(&path).and_then(|metadata| metadata.modified()))
                .map_err(|error| Error::blob("read", path, error))?;
            if modified.is_some_and(|modified| condemned(&id, modified)) && self.delete(&id)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn list(&self) -> Result<Vec<BlobId>, Error> {
        let mut ids = Vec::new();
        for first in names(&self.root)? {
            if first.len() != 2 {
                continue; // `tmp`, and whatever is not ours
            }
            let first = self.root.join(first);
            for second in names(&first)? {
                ids.extend(names(&first.join(second))?.iter().filter_map(|name| name.parse::<BlobId>().ok()));
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// The names in a directory, those that are text.
fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| Error::blob("list", directory, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Makes a file as new as now. False if it does not exist.
fn touch(path: &Path) -> io::Result<bool> {
    let file = found(OpenOptions::new().write(true).open(path))?;
    file.map(|file| file.set_times(FileTimes::new().set_modified(SystemTime::now())))
        .transpose()
        .map(|touched| touched.is_some())
}

/// That a file does not exist is an answer, not an error.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs").field("root", &self.inner.root).finish_non_exhaustive()
    }
}
