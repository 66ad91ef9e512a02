//! Writes under a condition, while what the condition is about is deleted: S3 has their clients try again.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::S3ErrorCode;
use s3s::dto::ETagCondition;
use store::{Scan, Snapshot, Tx};

use super::preconditions::{At, check_write};
use crate::S3;
use crate::error::{Refusal, refuse};
use crate::record::{UPLOADS, Upload};

/// Keys that somebody puts under a condition right now. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<Keys>>);

type Keys = HashMap<(String, String), Seen>;

#[derive(Default)]
struct Seen {
    watches: usize,
    deletions: u64,
}

/// Sees whether a key is deleted as long as this lives.
pub(crate) struct Watch {
    watched: Watched,
    at: (String, String),
    /// How many there had been when this began.
    deletions: u64,
}

impl Watched {
    /// From now on.
    pub(crate) fn watch(&self, bucket: &str, key: &str) -> Watch {
        let at = (bucket.to_owned(), key.to_owned());
        let mut keys = self.keys();
        let seen = keys.entry(at.clone()).or_default();
        seen.watches += 1;
        let deletions = seen.deletions;
        drop(keys);
        Watch { watched: self.clone(), at, deletions }
    }

    fn delete(&self, bucket: &str, key: &str) {
        let mut keys = self.keys();
        if keys.is_empty() {
            return;
        }
        if let Some(seen) = keys.get_mut(&(bucket.to_owned(), key.to_owned())) {
            seen.deletions += 1;
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Whether the key has been deleted since.
    fn is_disturbed(&self) -> bool {
        self.watched.keys().get(&self.at).is_some_and(|seen| seen.deletions != self.deletions)
    }

    /// Refuses a write whose condition holds only because of what happened meanwhile.
    pub(crate) fn check(&self, if_none_match: Option<&ETagCondition>) -> Result<(), Refusal> {
        if self.is_disturbed() { Err(conflict(if_none_match.is_some(), &self.at.1)) } else { Ok(()) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut keys = self.watched.keys();
        if let Some(seen) = keys.get_mut(&self.at) {
            seen.watches -= 1;
            if seen.watches == 0 {
                keys.remove(&self.at);
            }
        }
    }
}

/// An object is deleted: whoever writes its key under a condition will be told. Uploads in parts take long enough to be
/// told over restarts.
pub(super) fn delete(s3: &S3, tx: &mut Tx<'_>, bucket: &str, key: &str) -> Result<(), Refusal> {
    s3.watched.delete(bucket, key);
    for ((_, _, id), upload) in tx.scan(&UPLOADS, &Scan::prefix((bucket, key)))? {
        if !upload.deleted {
            tx.put(&UPLOADS, (bucket, key, id.as_str()), &Upload { deleted: true, ..upload })?;
        }
    }
    Ok(())
}

/// Whether an upload in parts may become its object under these conditions, which are about all the time since it began.
pub(crate) fn check_upload(
    snapshot: &Snapshot<'_>,
    (bucket, key): (&str, &str),
    upload: &Upload,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<(), Refusal> {
    check_write(snapshot, At { bucket, key, version: None }, if_match, if_none_match)?;
    if if_none_match.is_some() && upload.deleted {
        return Err(conflict(true, key));
    }
    let changed = match (if_match, super::current(snapshot, bucket, key)?) {
        (Some(_), Some((_, version))) => version.modified > upload.initiated,
        _ => false,
    };
    if changed { Err(conflict(false, key)) } else { Ok(()) }
}

fn conflict(if_none_match: bool, key: &str) -> Refusal {
    refuse(
        S3ErrorCode::ConditionalRequestConflict,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    )
    .with("Condition", if if_none_match { "If-None-Match" } else { "If-Match" })
    .with("Key", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_sees_deletions_of_its_key_while_it_lives() {
        let watched = Watched::default();
        watched.delete("b", "k");
        let first = watched.watch("b", "k");
        watched.delete("b", "other");
        assert!(!first.is_disturbed());
        watched.delete("b", "k");
        let second = watched.watch("b", "k");
        assert!(first.is_disturbed() && !second.is_disturbed());
        drop(first);
        watched.delete("b", "k");
        assert!(second.is_disturbed());
        drop(second);
        assert!(watched.keys().is_empty());
        assert!(!watched.watch("b", "k").is_disturbed());
    }
}
