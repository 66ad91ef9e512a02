//! How a version appears and goes: by the bucket's versioning, and told to whoever wants to know.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>

use store::Tx;

use super::{acl, conflict, current, lock, version};
use crate::call::Call;
use crate::error::{self, Refusal};
use crate::notify::{Change, Happened, announce};
use crate::record::{Bucket, Object, SEQUENCE, VERSIONS, Version, Versioning, rank};
use crate::{S3, content, lifecycle, version_id};

/// Writes an object as the current version of its key. Unversioned, it takes the place of the null version.
pub(crate) fn write(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    object: Object,
    happened: Happened,
) -> Result<Version, Refusal> {
    append(s3, tx, call, bucket, key, Some(object), happened)
}

/// What a deletion did.
pub(crate) struct Deleted {
    /// The version that went or the marker that came; none where there are no versions.
    pub(crate) version: Option<String>,
    /// Whether that is a delete marker.
    pub(crate) marker: bool,
}

/// Deletes the current version of a key: for good without versions, else by a marker. A key that is not there is no error.
pub(crate) fn delete_current(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
) -> Result<Deleted, Refusal> {
    if bucket.versioning.is_some() {
        let marker = append(s3, tx, call, bucket, key, None, Happened::MarkerCreated)?;
        return Ok(Deleted { version: Some(marker.id), marker: true });
    }
    if let Some((rank, version)) = current(tx, &bucket.name, key)? {
        go(s3, tx, call, bucket, key, (rank, &version), Happened::Deleted)?;
    }
    Ok(Deleted { version: None, marker: false })
}

/// Deletes one version for good, unless it is locked: `bypass` is for a lock that governs and does not bind. One that is
/// not there is no error.
pub(crate) fn delete_version(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    id: &str,
    bypass: bool,
) -> Result<Deleted, Refusal> {
    let mut marker = false;
    if let Some((rank, version)) = version(tx, &bucket.name, key, id)? {
        marker = version.object.is_none();
        if let Some(object) = &version.object {
            lock::check_release(&object.lock, bypass, s3.now())?;
        }
        go(s3, tx, call, bucket, key, (rank, &version), Happened::Deleted)?;
    }
    Ok(Deleted { version: Some(id.to_owned()), marker })
}

/// Changes what is said of a version, which stays where it is.
#[expect(clippy::too_many_arguments, reason = "all of them say which version")]
pub(crate) fn amend(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    rank: u64,
    version: &Version,
    happened: Option<Happened>,
) -> Result<(), Refusal> {
    tx.put(&VERSIONS, (bucket.name.as_str(), key, rank), version)?;
    // Nobody is told of locks.
    let Some(happened) = happened else { return Ok(()) };
    let sequence = next(tx)?;
    tell(s3, tx, call, &Change { bucket, key, version, sequence, happened })
}

/// A lifecycle rule has the current object of a key go, or puts a delete marker before it.
pub(crate) fn expire(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
) -> Result<(), Refusal> {
    if bucket.versioning.is_some() {
        return append(s3, tx, call, bucket, key, None, Happened::ExpiryMarkerCreated).map(drop);
    }
    match current(tx, &bucket.name, key)? {
        Some((rank, version)) => expire_version(s3, tx, call, bucket, key, rank, &version),
        None => Ok(()),
    }
}

/// A lifecycle rule has a version go for good.
pub(crate) fn expire_version(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    rank: u64,
    version: &Version,
) -> Result<(), Refusal> {
    go(s3, tx, call, bucket, key, (rank, version), Happened::Expired)
}

/// A version goes for good, and whoever wants to know is told why.
fn go(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    (rank, version): (u64, &Version),
    happened: Happened,
) -> Result<(), Refusal> {
    remove(s3, tx, &bucket.name, key, rank, version)?;
    let sequence = next(tx)?;
    tell(s3, tx, call, &Change { bucket, key, version, sequence, happened })
}

/// Tells whoever wants to know, the bucket's own rules among them.
fn tell(s3: &S3, tx: &mut Tx<'_>, call: &Call, change: &Change<'_>) -> Result<(), Refusal> {
    lifecycle::stir(s3, tx, &change.bucket.name)?;
    if change.happened.is_deletion() {
        conflict::delete(s3, tx, &change.bucket.name, change.key)?;
    }
    announce(s3, tx, call, change)
}

fn append(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    key: &str,
    object: Option<Object>,
    happened: Happened,
) -> Result<Version, Refusal> {
    let sequence = next(tx)?;
    let id = match bucket.versioning {
        Some(Versioning::Enabled) => version_id::new(sequence),
        Some(Versioning::Suspended) | None => {
            if let Some((rank, replaced)) = version(tx, &bucket.name, key, version_id::NULL)? {
                remove(s3, tx, &bucket.name, key, rank, &replaced)?;
            }
            version_id::NULL.to_owned()
        }
    };
    let version = Version { id, modified: s3.now(), owner: acl::owner(tx, bucket, call)?, object };
    tx.put(&VERSIONS, (bucket.name.as_str(), key, rank(sequence)), &version)?;
    tell(s3, tx, call, &Change { bucket, key, version: &version, sequence, happened })?;
    Ok(version)
}

/// Takes a version and its bytes out. What keeps it from going is asked before.
fn remove(
    s3: &S3,
    tx: &mut Tx<'_>,
    bucket: &str,
    key: &str,
    rank: u64,
    version: &Version,
) -> Result<(), Refusal> {
    if !tx.delete(&VERSIONS, (bucket, key, rank))? {
        return Err(error::internal());
    }
    match &version.object {
        Some(object) => content::discard(s3, tx, &object.segments),
        None => Ok(()),
    }
}

/// The number of the next change: greater than all before, over restarts, too.
fn next(tx: &mut Tx<'_>) -> Result<u64, Refusal> {
    let sequence = tx.get(&SEQUENCE, "")?.unwrap_or(0) + 1;
    tx.put(&SEQUENCE, "", &sequence)?;
    Ok(sequence)
}
