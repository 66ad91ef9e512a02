//! What candidates were found to be, kept on disk so that starting Hearth does not run them all again.
//!
//! An entry is believed while the candidate, and the program behind it, are the very files that were run. A cache that
//! cannot be read or written costs time and nothing else.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::probe::Finding;

const FORMAT: u32 = 1;
const FILE: &str = "interpreters.json";

/// Findings by candidate.
#[derive(Default, Serialize, Deserialize)]
pub struct Cache {
    format: u32,
    findings: BTreeMap<PathBuf, Entry>,
    #[serde(skip)]
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    candidate: Stamp,
    executable: Option<Stamp>,
    finding: Finding,
}

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { modified, bytes: metadata.size(), inode: metadata.ino() })
    }
}

impl Cache {
    /// What is known; nothing, if there is no readable cache of this format.
    pub fn read(directory: &Path) -> Self {
        let known =
            std::fs::read(directory.join(FILE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        known
            .filter(|cache: &Self| cache.format == FORMAT)
            .unwrap_or(Self { format: FORMAT, ..Self::default() })
    }

    /// What `candidate` was found to be, if it still is that file.
    pub fn get(&self, candidate: &Path) -> Option<Finding> {
        let entry = self.findings.get(candidate)?;
        let same = Stamp::of(candidate) == Some(entry.candidate)
            && executable(&entry.finding).and_then(Stamp::of) == entry.executable;
        same.then(|| entry.finding.clone())
    }

    /// Remembers a finding. Silence is not remembered.
    pub fn put(&mut self, candidate: PathBuf, finding: Finding) {
        let Some(stamp) = Stamp::of(&candidate).filter(|_| finding != Finding::Silent) else { return };
        let executable = executable(&finding).and_then(Stamp::of);
        self.findings.insert(candidate, Entry { candidate: stamp, executable, finding });
        self.changed = true;
    }

    /// Writes the cache if it has news.
    pub fn write(&self, directory: &Path) {
        if !self.changed {
            return;
        }
        let bytes = serde_json::to_vec(self).expect("paths were checked to be UTF-8 by put");
        if let Err(error) = files::write_atomically(&directory.join(FILE), &bytes) {
            tracing::warn!(%error, directory = %directory.display(), "interpreter cache not written");
        }
    }
}

fn executable(finding: &Finding) -> Option<&Path> {
    match finding {
        Finding::Interpreter(interpreter) => Some(&interpreter.executable),
        Finding::Nothing | Finding::Silent => None,
    }
}
