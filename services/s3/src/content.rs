//! The bytes of objects: how they come in, where they stay, how they go out, and when they go for good.
//!
//! Short contents are rows of the store. Longer ones are files under names of their own, which nobody can see before a
//! record names them: the file is written and flushed, then the record is committed, which is what makes the object
//! appear, whole. A file without a record, left by a kill or a failed request, is removed: at once or at the next start.

mod files;
mod receive;
mod send;
mod sweep;

pub(crate) use files::{Files, Lease, Staged};
pub(crate) use receive::{hex, receive};
pub(crate) use send::send;
pub(crate) use sweep::sweep;

use store::{Raw, Tx};

use crate::S3;
use crate::error::Refusal;
use crate::record::{Place, ROWS, Segment};

/// Contents up to this length are rows: for them a file would cost more than its bytes.
pub(crate) const ROW_BYTES_MAX: usize = 16 * 1024;

/// Finds something whose bytes are to be read, and keeps them readable.
pub(crate) fn leased<T>(
    s3: &S3,
    find: impl Fn() -> Result<T, Refusal>,
    segments: impl Fn(&T) -> &[Segment],
) -> Result<(T, Lease), Refusal> {
    loop {
        let found = find()?;
        let lease = s3.files.lease(segments(&found));
        // What a lease came too late for is gone from the records, too.
        if segments(&find()?) == segments(&found) {
            return Ok((found, lease));
        }
    }
}

/// Removes what these segments hold, once the transaction is committed.
pub(crate) fn discard(s3: &S3, tx: &mut Tx<'_>, segments: &[Segment]) -> Result<(), Refusal> {
    let mut files = Vec::new();
    for segment in segments {
        match segment.place {
            Place::Row(id) => {
                tx.delete(&ROWS, &id)?;
            }
            Place::File(id) => files.push(id),
        }
    }
    if !files.is_empty() {
        let from = s3.files.clone();
        tx.after_commit(move || from.remove(&files));
    }
    Ok(())
}

/// Gives these bytes a second owner: rows are copied, files get a second name. Nothing is copied on the disk.
pub(crate) async fn share(s3: &S3, segments: &[Segment]) -> Result<Staged, Refusal> {
    let mut staged = Staged::new(s3.files.clone());
    let (s3, segments) = (s3.clone(), segments.to_vec());
    let shared = tokio::task::spawn_blocking(move || {
        for segment in segments {
            match segment.place {
                Place::Row(id) => {
                    let found = s3.read(|snapshot| Ok(snapshot.get(&ROWS, &id)?))?;
                    let Raw(bytes) = found.ok_or_else(crate::error::internal)?;
                    staged.add_row(bytes);
                }
                Place::File(id) => staged.add_link(id, segment.size)?,
            }
        }
        staged.flush()?;
        Ok::<_, Refusal>(staged)
    });
    shared.await.map_err(|_| crate::error::internal())?
}
