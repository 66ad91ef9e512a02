//! Functions whose code is a folder of the developer's, not a package: each invocation gets it as it is now.
//!
//! Environments belong to a revision, so a folder that has changed makes a revision of its own, which nobody else sees
//! and nothing stores. Environments of the one before end as after any update; those of other functions stay warm.

mod fingerprint;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use domain::FunctionVersion;
use uuid::Uuid;

use crate::{FunctionKey, InvokeError};
use fingerprint::Fingerprint;

/// The folders in use, by the revision that names each.
#[derive(Default)]
pub(crate) struct Folders {
    seen: Mutex<HashMap<Uuid, Seen>>,
}

/// A folder as it was last seen.
struct Seen {
    /// When that look began.
    at: Instant,
    fingerprint: Fingerprint,
    /// What runs for as long as it looks so.
    version: Arc<FunctionVersion>,
}

/// What to run, and the revision that is out of date from now on.
pub(crate) struct Current {
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) replaced: Option<Uuid>,
}

impl Folders {
    /// The version to run now in the place of one whose code is a folder; any other as it is.
    pub(crate) async fn current(&self, version: Arc<FunctionVersion>) -> Result<Current, InvokeError> {
        let Some(folder) = version.code.folder().map(ToOwned::to_owned) else {
            return Ok(Current { version, replaced: None });
        };
        let at = Instant::now();
        let fingerprint = Fingerprint::of(&folder).await.map_err(|error| {
            let why = format!("the folder {} of function {}: {error}", folder.display(), version.name);
            InvokeError::Unavailable { why }
        })?;
        Ok(self.decide(at, fingerprint, version))
    }

    fn decide(&self, at: Instant, fingerprint: Fingerprint, version: Arc<FunctionVersion>) -> Current {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(&version.revision) {
            // A look that began before the last one and ended after it is no news.
            Some(known) if known.fingerprint == fingerprint || known.at > at => {
                Current { version: Arc::clone(&known.version), replaced: None }
            }
            Some(known) => {
                let version = Arc::new(FunctionVersion {
                    revision: Uuid::new_v4(),
                    ..FunctionVersion::clone(&version)
                });
                let new = Seen { at, fingerprint, version: Arc::clone(&version) };
                let old = std::mem::replace(known, new);
                Current { version, replaced: Some(old.version.revision) }
            }
            None => {
                seen.insert(version.revision, Seen { at, fingerprint, version: Arc::clone(&version) });
                Current { version, replaced: None }
            }
        }
    }

    /// What of a function's revisions may run on, when these are those that are named: of a folder's, only the one that
    /// it looks like now. The others are forgotten.
    pub(crate) fn retire(&self, function: &FunctionKey, named: Vec<Uuid>) -> Vec<Uuid> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|revision, seen| FunctionKey::of(&seen.version) != *function || named.contains(revision));
        let current = |revision| seen.get(&revision).map_or(revision, |seen| seen.version.revision);
        named.into_iter().map(current).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::isolation::fake::version;

    fn of_folder(folder: &std::path::Path) -> Arc<FunctionVersion> {
        Arc::new(FunctionVersion { code: domain::CodeRef::of_folder(folder).unwrap(), ..version("f") })
    }

    #[tokio::test]
    async fn a_folder_that_changes_is_another_revision_until_it_changes_again() {
        let (folder, folders) = (tempfile::tempdir().unwrap(), Folders::default());
        let named = of_folder(folder.path());
        let run = async || folders.current(Arc::clone(&named)).await.unwrap();
        assert_eq!(run().await.version.revision, named.revision);
        fs::write(folder.path().join("a"), "").unwrap();
        let changed = run().await;
        assert!(changed.replaced == Some(named.revision) && changed.version.revision != named.revision);
        let again = run().await;
        assert!(again.replaced.is_none() && again.version.revision == changed.version.revision);

        let key = FunctionKey::of(&named);
        assert_eq!(folders.retire(&key, vec![named.revision]), [changed.version.revision]);
        // After an update the folder begins anew, under the new revision.
        assert!(folders.retire(&key, vec![]).is_empty());
        assert_eq!(run().await.version.revision, named.revision);
    }

    #[tokio::test]
    async fn a_package_is_never_looked_at_and_a_folder_that_is_gone_is_said() {
        let folders = Folders::default();
        let package = Arc::new(version("f"));
        assert!(Arc::ptr_eq(&folders.current(Arc::clone(&package)).await.unwrap().version, &package));
        let gone = of_folder(std::path::Path::new("/nowhere/at/all"));
        let Err(InvokeError::Unavailable { why }) = folders.current(gone).await else {
            panic!("it is not there")
        };
        assert!(why.starts_with("the folder /nowhere/at/all of function f: "), "{why}");
    }

    #[tokio::test]
    async fn a_late_look_does_not_bring_back_what_was() {
        let folders = Folders::default();
        let named = of_folder(std::path::Path::new("/f"));
        let (early, late) = (Instant::now(), Instant::now() + std::time::Duration::from_millis(1));
        let on_disk = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let one = Fingerprint::of(on_disk[0].path()).await.unwrap();
        let other = Fingerprint::of(on_disk[1].path()).await.unwrap();
        folders.decide(early, one, Arc::clone(&named));
        let new = folders.decide(late, other, Arc::clone(&named)).version.revision;
        let seen = folders.decide(early, one, Arc::clone(&named));
        assert!(seen.replaced.is_none() && seen.version.revision == new);
    }
}
