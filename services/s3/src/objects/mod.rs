//! Objects: writing, reading and deleting them. [`change`] is the only place where a version appears, changes or goes.

pub(crate) mod acl;
mod attributes;
pub(crate) mod change;
pub(crate) mod conflict;
mod copy;
mod delete;
mod delete_many;
pub(crate) mod describe;
pub(crate) mod encryption;
mod get;
pub(crate) mod lock;
pub(crate) mod preconditions;
mod put;
mod slice;
mod source;
pub(crate) mod tags;

pub(crate) use acl::{acl, put_acl};
pub(crate) use attributes::attributes;
pub(crate) use copy::copy;
pub(crate) use delete::delete;
pub(crate) use delete_many::delete_many;
pub(crate) use get::{get, head};
pub(crate) use lock::{legal_hold, put_legal_hold, put_retention, retention};
pub(crate) use put::{post, put};
pub(crate) use source::{Source, open as open_source};
pub(crate) use tags::{delete_tagging, put_tagging, tagging};

use domain::Timestamp;
use store::{Scan, Snapshot};

use crate::error::{self, Refusal};
use crate::limits::KEY_BYTES_MAX;
use crate::record::{Bucket, VERSIONS, Version};
use crate::version_id;

/// A time as S3's answers write it.
pub(crate) fn stamp(time: Timestamp) -> s3s::dto::Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(time.epoch_ms()).unwrap_or(0));
    (std::time::SystemTime::UNIX_EPOCH + since).into()
}

/// Refuses a key that nothing can have.
pub(crate) fn check_key(key: &str) -> Result<(), Refusal> {
    if key.len() > KEY_BYTES_MAX {
        return Err(error::refuse(s3s::S3ErrorCode::KeyTooLongError, "Your key is too long")
            .with("Size", &key.len().to_string())
            .with("MaxSizeAllowed", &KEY_BYTES_MAX.to_string()));
    }
    Ok(())
}

/// The current version of a key, which may be a delete marker; with its rank.
pub(crate) fn current(
    snapshot: &Snapshot<'_>,
    bucket: &str,
    key: &str,
) -> Result<Option<(u64, Version)>, Refusal> {
    let first = snapshot.scan(&VERSIONS, &Scan::prefix((bucket, key)).limit(1))?;
    Ok(first.into_iter().next().map(|((_, _, rank), version)| (rank, version)))
}

/// The version of a key with this id, with its rank.
pub(crate) fn version(
    snapshot: &Snapshot<'_>,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Option<(u64, Version)>, Refusal> {
    if id == version_id::NULL {
        // At most one, anywhere among the others.
        let mut found = None;
        snapshot.visit(&VERSIONS, &Scan::prefix((bucket, key)), |(_, _, rank), version: Version| {
            if version.id == version_id::NULL {
                found = Some((rank, version));
                return std::ops::ControlFlow::Break(());
            }
            std::ops::ControlFlow::Continue(())
        })?;
        return Ok(found);
    }
    let rank = version_id::rank(id).ok_or_else(|| error::invalid_argument("Invalid version id specified"))?;
    let found = snapshot.get(&VERSIONS, (bucket, key, rank))?;
    Ok(found.filter(|version: &Version| version.id == id).map(|version| (rank, version)))
}

/// The version that a request means, which must be an object: what a marker answers, S3 says in headers.
pub(crate) fn existing(
    snapshot: &Snapshot<'_>,
    bucket: Bucket,
    key: &str,
    id: Option<&str>,
) -> Result<(Bucket, u64, Version), Refusal> {
    let (rank, version) = match id {
        Some(id) => version(snapshot, &bucket.name, key, id)?
            .ok_or_else(|| error::no_such_version().with("Key", key).with("VersionId", id))?,
        None => current(snapshot, &bucket.name, key)?.ok_or_else(|| error::no_such_key(key))?,
    };
    if version.object.is_some() {
        return Ok((bucket, rank, version));
    }
    let refusal = match id {
        None => error::no_such_key(key),
        Some(_) => error::refuse(
            s3s::S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )
        .with("ResourceType", "DeleteMarker"),
    };
    Err(refusal.header("x-amz-delete-marker", "true").header("x-amz-version-id", &version.id))
}
