//! DeleteObjects.

use std::sync::Arc;

use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{S3Error, S3Response};
use store::Tx;

use super::change::{self, Deleted};
use super::check_key;
use super::preconditions::{At, check_write};
use crate::call::Call;
use crate::error::{Refusal, malformed_xml};
use crate::record::Bucket;
use crate::{S3, access, buckets};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const KEYS_MAX: usize = 1000;
/// Keys of one transaction: others' writes need not wait for a thousand.
const KEYS_AT_ONCE: usize = 100;

/// Deletes up to a thousand objects, each by itself: what cannot be deleted is told beside the others.
pub(crate) async fn delete_many(
    s3: &S3,
    call: &Arc<Call>,
    input: DeleteObjectsInput,
) -> Result<S3Response<DeleteObjectsOutput>, Refusal> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > KEYS_MAX {
        return Err(malformed_xml());
    }
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let bypass = input.bypass_governance_retention == Some(true);
    let quiet = input.delete.quiet == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    let mut admitted = Vec::with_capacity(input.delete.objects.len());
    for object in input.delete.objects {
        match admit(s3, call, &input.bucket, &object, bypass) {
            Ok(()) => admitted.push(object),
            Err(refusal) if refusal.is_ours() => return Err(refusal),
            Err(refusal) => errors.push(refused(object, &refusal.into())),
        }
    }
    for objects in admitted.chunks(KEYS_AT_ONCE) {
        let (state, caller, name, objects) =
            (s3.clone(), Arc::clone(call), input.bucket.clone(), objects.to_vec());
        let outcomes = s3
            .write(move |tx| {
                let bucket = buckets::find(tx, &name)?;
                let mut outcomes = Vec::with_capacity(objects.len());
                for object in objects {
                    match delete_one(&state, tx, &caller, &bucket, &object, bypass) {
                        // What fails half way takes the others with it; what is refused has changed nothing.
                        Err(refusal) if refusal.is_ours() => return Err(refusal),
                        outcome => outcomes.push((object, outcome)),
                    }
                }
                Ok(outcomes)
            })
            .await?;
        for (object, outcome) in outcomes {
            match outcome {
                Ok(_) if quiet => {}
                Ok(done) => deleted.push(told(object, done)),
                Err(refusal) => errors.push(refused(object, &refusal.into())),
            }
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted).filter(|deleted| !deleted.is_empty()),
        errors: Some(errors).filter(|errors| !errors.is_empty()),
        ..Default::default()
    }))
}

/// Whether the caller may delete one of them.
fn admit(s3: &S3, call: &Call, bucket: &str, object: &ObjectIdentifier, bypass: bool) -> Result<(), Refusal> {
    let version = object.version_id.as_deref();
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    let at = (bucket, object.key.as_str(), version);
    access::admit_object(s3, call, action, at)?;
    if bypass {
        access::admit_object(s3, call, "s3:BypassGovernanceRetention", at)?;
    }
    Ok(())
}

fn delete_one(
    s3: &S3,
    tx: &mut Tx<'_>,
    call: &Call,
    bucket: &Bucket,
    object: &ObjectIdentifier,
    bypass: bool,
) -> Result<Deleted, Refusal> {
    check_key(&object.key)?;
    let wanted = object.e_tag.clone().map(s3s::dto::ETagCondition::ETag);
    let at = At { bucket: &bucket.name, key: &object.key, version: object.version_id.as_deref() };
    check_write(tx, at, wanted.as_ref(), None)?;
    match &object.version_id {
        None => change::delete_current(s3, tx, call, bucket, &object.key),
        Some(id) => change::delete_version(s3, tx, call, bucket, &object.key, id, bypass),
    }
}

fn told(object: ObjectIdentifier, done: Deleted) -> DeletedObject {
    let version_of_marker = done.version.clone().filter(|_| done.marker);
    DeletedObject {
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: version_of_marker,
        key: Some(object.key),
        version_id: object.version_id,
    }
}

fn refused(object: ObjectIdentifier, error: &S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(object.key),
        message: error.message().map(str::to_owned),
        version_id: object.version_id,
    }
}
