//! The directory of files, what is staged for it, and who reads.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use store::{Raw, Tx};
use uuid::Uuid;

use crate::error::Refusal;
use crate::record::{Place, ROWS, Segment};

/// The files' directory. A cheap handle.
#[derive(Clone)]
pub(crate) struct Files(Arc<Inner>);

struct Inner {
    root: PathBuf,
    /// Whether files must survive a loss of power.
    durable: bool,
    /// Files being read, and whether they go when the last reader has done.
    read: Mutex<HashMap<Uuid, Readers>>,
    /// To the thread that removes: freeing a large file takes a while.
    removals: mpsc::Sender<PathBuf>,
}

#[derive(Default)]
struct Readers {
    count: usize,
    condemned: bool,
}

impl Files {
    /// The files beneath a store's directory.
    pub(crate) fn open(store: &Path, durable: bool) -> io::Result<Self> {
        let root = store.join("objects");
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        for stripe in 0..=0xFF_u8 {
            private.create(root.join(format!("{stripe:02x}")))?;
        }
        if durable {
            File::open(&root)?.sync_all()?;
            File::open(store)?.sync_all()?;
        }
        let (removals, received) = mpsc::channel::<PathBuf>();
        std::thread::Builder::new().name("s3-remover".into()).spawn(move || {
            for path in received {
                if let Err(error) = fs::remove_file(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(path = %path.display(), %error, "a file of no object was not removed");
                }
            }
        })?;
        Ok(Self(Arc::new(Inner { root, durable, read: Mutex::default(), removals })))
    }

    /// Where a file is. Stripes keep directories short.
    pub(crate) fn path(&self, id: Uuid) -> PathBuf {
        self.stripe(id).join(id.simple().to_string())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    fn stripe(&self, id: Uuid) -> PathBuf {
        self.0.root.join(format!("{:02x}", id.as_bytes()[0]))
    }

    /// A new file, to be written.
    pub(crate) fn create(&self, id: Uuid) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.path(id))
    }

    /// After this, a file survives a loss of power.
    pub(crate) fn flush(&self, id: Uuid, file: &File) -> io::Result<()> {
        if self.0.durable {
            file.sync_all()?;
            File::open(self.stripe(id))?.sync_all()?;
        }
        Ok(())
    }

    /// Removes files, now or when nobody reads them any more.
    pub(crate) fn remove(&self, ids: &[Uuid]) {
        let mut read = self.readers();
        for id in ids {
            match read.get_mut(id) {
                Some(readers) => readers.condemned = true,
                // The thread lives as long as the handle.
                None => drop(self.0.removals.send(self.path(*id))),
            }
        }
    }

    /// Removes every file.
    pub(crate) fn clear(&self) {
        for stripe in 0..=0xFF_u8 {
            let Ok(entries) = fs::read_dir(self.0.root.join(format!("{stripe:02x}"))) else { continue };
            for entry in entries.flatten() {
                let _ = self.0.removals.send(entry.path());
            }
        }
    }

    /// Keeps the files of these segments readable. What was removed before is not: look at the record again after.
    pub(crate) fn lease(&self, segments: &[Segment]) -> Lease {
        let ids: Vec<Uuid> = segments
            .iter()
            .filter_map(|segment| match segment.place {
                Place::File(id) => Some(id),
                Place::Row(_) => None,
            })
            .collect();
        let mut read = self.readers();
        for id in &ids {
            read.entry(*id).or_default().count += 1;
        }
        drop(read);
        Lease { files: self.clone(), ids }
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Readers>> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to read some files.
pub(crate) struct Lease {
    files: Files,
    ids: Vec<Uuid>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut gone = Vec::new();
        let mut read = self.files.readers();
        for id in &self.ids {
            let Some(readers) = read.get_mut(id) else { continue };
            readers.count -= 1;
            if readers.count == 0 && read.remove(id).is_some_and(|readers| readers.condemned) {
                gone.push(*id);
            }
        }
        drop(read);
        self.files.remove(&gone);
    }
}

/// Bytes that no record names yet: they go again, unless a transaction keeps them.
pub(crate) struct Staged {
    files: Files,
    segments: Vec<Segment>,
    rows: Vec<(Uuid, Bytes)>,
    kept: bool,
}

impl Staged {
    pub(crate) fn new(files: Files) -> Self {
        Self { files, segments: Vec::new(), rows: Vec::new(), kept: false }
    }

    pub(crate) fn add_row(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let id = Uuid::new_v4();
        self.segments.push(Segment { place: Place::Row(id), size: bytes.len() as u64 });
        self.rows.push((id, bytes));
    }

    /// A file with this id is, or will be, here.
    pub(crate) fn add_file(&mut self, id: Uuid, size: u64) {
        self.segments.push(Segment { place: Place::File(id), size });
    }

    /// A second name for a file that is being [leased](Files::lease), or a copy where the disk gives it no more names:
    /// one has 65,000 on ext4, and some disks know none. Blocks on the disk.
    pub(crate) fn add_link(&mut self, of: Uuid, size: u64) -> io::Result<()> {
        let id = Uuid::new_v4();
        let (from, to) = (self.files.path(of), self.files.path(id));
        // First, so that half a copy goes again, too.
        self.add_file(id, size);
        match fs::hard_link(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => fs::copy(from, to).map(drop),
            linked => linked,
        }
    }

    /// After this, the names of its files survive a loss of power. Blocks on the disk.
    pub(crate) fn flush(&self) -> io::Result<()> {
        for segment in &self.segments {
            if let Place::File(id) = segment.place {
                self.files.flush(id, &File::open(self.files.path(id))?)?;
            }
        }
        Ok(())
    }

    /// The file that was added last has this many bytes.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.segments.last_mut().expect("a file was added").size = size;
    }

    /// Makes the bytes part of what the transaction commits, and tells where they are.
    pub(crate) fn keep(mut self, tx: &mut Tx<'_>) -> Result<Vec<Segment>, Refusal> {
        for (id, bytes) in std::mem::take(&mut self.rows) {
            tx.put(&ROWS, &id, &Raw(bytes))?;
        }
        let segments = self.segments.clone();
        // Dropped with the transaction if it is rolled back, and the files with it.
        tx.after_commit(move || {
            let mut staged = self; // whole: a closure would take the flag alone
            staged.kept = true;
        });
        Ok(segments)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let files = self.segments.iter().filter_map(|segment| match segment.place {
            Place::File(id) => Some(id),
            Place::Row(_) => None,
        });
        self.files.remove(&files.collect::<Vec<_>>());
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "a file of an object failed");
        if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
            return crate::error::disk_full();
        }
        crate::error::internal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path(), true).unwrap();
        (directory, files)
    }

    fn written(files: &Files) -> Segment {
        let id = Uuid::new_v4();
        files.create(id).unwrap();
        Segment { place: Place::File(id), size: 0 }
    }

    fn eventually_gone(path: &Path) {
        // The thread that removes is told before this looks.
        while path.exists() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_file_that_is_read_stays_until_the_last_reader_is_done() {
        let (_directory, files) = files();
        let segment = written(&files);
        let Place::File(id) = segment.place else { unreachable!() };
        let (first, second) = (files.lease(&[segment]), files.lease(&[segment]));
        files.remove(&[id]);
        drop(first);
        assert!(files.path(id).exists());
        drop(second);
        eventually_gone(&files.path(id));
    }

    #[test]
    fn what_is_staged_goes_unless_it_is_kept() {
        let (_directory, files) = files();
        let id = Uuid::new_v4();
        files.create(id).unwrap();
        let mut staged = Staged::new(files.clone());
        staged.add_file(id, 0);
        staged.add_link(id, 0).unwrap();
        let Place::File(link) = staged.segments[1].place else { unreachable!() };
        assert!(files.path(link).exists());
        drop(staged);
        eventually_gone(&files.path(id));
        eventually_gone(&files.path(link));
    }
}
