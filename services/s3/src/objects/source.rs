//! The object that a copy is made of.

use s3s::dto::CopySource;

use super::preconditions::{Conditions, Unmet};
use super::{encryption, existing, preconditions};
use crate::call::Call;
use crate::content::Lease;
use crate::error::{self, Refusal, not_implemented};
use crate::record::{Bucket, Object, Version};
use crate::{S3, buckets, content};

/// An object that is copied. While its lease lives its bytes can be read.
pub(crate) struct Source {
    pub(crate) bucket: Bucket,
    pub(crate) version: Version,
    pub(crate) object: Object,
    pub(crate) lease: Lease,
}

/// Finds the source of a copy, under its conditions.
pub(crate) fn open(
    s3: &S3,
    call: &Call,
    source: &CopySource,
    owner: Option<&String>,
    shown_key_md5: Option<&str>,
    conditions: &Conditions<'_>,
) -> Result<Source, Refusal> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(not_implemented("access points and Outposts as the source of a copy"));
    };
    let find = || {
        s3.read(|snapshot| {
            let bucket = buckets::find(snapshot, bucket)?;
            call.expects(owner, &bucket)?;
            let (bucket, _, mut version) = existing(snapshot, bucket, key, version_id.as_deref())?;
            let object = version.object.take().ok_or_else(error::internal)?;
            Ok((bucket, version, object))
        })
    };
    let found = || {
        let (bucket, version, object) = find()?;
        encryption::check_reader(&object, shown_key_md5)?;
        // A copy knows no 304: whatever does not hold has failed.
        if let Some(Unmet::Failed(name) | Unmet::NotModified(name)) =
            conditions.unmet(&object.etag, version.modified.epoch_ms().div_euclid(1000))
        {
            return Err(preconditions::failed(&format!("x-amz-copy-source-{name}")));
        }
        Ok((bucket, version, object))
    };
    let ((bucket, version, object), lease) = content::leased(s3, found, |(_, _, object)| &object.segments)?;
    Ok(Source { bucket, version, object, lease })
}
