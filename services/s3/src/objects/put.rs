//! PutObject, and the same of a browser's form.

use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption};
use store::Snapshot;

use super::preconditions::{At, check_write};
use super::{acl, change, check_key, describe, encryption, lock, tags};
use crate::call::Call;
use crate::checksums::{self, Claim};
use crate::error::{Refusal, entity_too_large, not_implemented};
use crate::limits::PUT_BYTES_MAX;
use crate::notify::Happened;
use crate::record::{Described, Object};
use crate::{S3, buckets, content, lifecycle};

pub(crate) async fn put(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectInput,
) -> Result<S3Response<PutObjectOutput>, Refusal> {
    write(s3, call, input, Happened::CreatedByPut).await
}

/// What a form posts; the headers of its call are the form's fields.
pub(crate) async fn post(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectInput,
) -> Result<S3Response<PutObjectOutput>, Refusal> {
    write(s3, call, input, Happened::CreatedByPost).await
}

async fn write(
    s3: &S3,
    call: &Arc<Call>,
    mut input: PutObjectInput,
    happened: Happened,
) -> Result<S3Response<PutObjectOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    check_key(&input.key)?;
    if input.write_offset_bytes.is_some() {
        return Err(not_implemented("appending to an object, which directory buckets alone do"));
    }
    let length = input.content_length.and_then(|length| u64::try_from(length).ok());
    if length.is_some_and(|length| length > PUT_BYTES_MAX) {
        return Err(entity_too_large());
    }
    let headers = &call.context.headers;
    let described = describe::of(headers)?;
    let tags = tags::of_header(input.tagging.as_deref())?;
    let md5 = checksums::content_md5(headers)?;
    let claim = Claim::of(headers)?;
    let said = claim.is_some();
    lock::check_digest(headers, md5.is_some() || said)?;
    s3.read(|snapshot| {
        acl::of_write(snapshot, &bucket, call)?;
        lock::of_write(headers, snapshot, &bucket, s3.now())
    })?;
    let claim = claim.unwrap_or_else(|| Claim::none(None));
    // Looked at before the body comes, so that it need not.
    let check = |snapshot: &Snapshot<'_>, input: &PutObjectInput| {
        let at = At { bucket: &input.bucket, key: &input.key, version: None };
        check_write(snapshot, at, input.if_match.as_ref(), input.if_none_match.as_ref())
    };
    let watch = (input.if_match.is_some() || input.if_none_match.is_some())
        .then(|| s3.watched.watch(&input.bucket, &input.key));
    s3.read(|snapshot| check(snapshot, &input))?;
    let hasher = claim.algorithm.hasher();
    let received = content::receive(&s3.files, input.body.take(), hasher, PUT_BYTES_MAX).await?;
    checksums::check_md5(md5, received.md5)?;
    let checksum = claim.proven(&received.checksum, |name| call.trailers.get(name))?;
    let etag = received.etag();
    let object = Object {
        size: received.size,
        etag: etag.clone(),
        checksum: Some(checksum.clone()),
        described,
        tags,
        ..Object::default()
    };
    let (state, call, staged) = (s3.clone(), Arc::clone(call), received.staged);
    let (versioned, version, expiration) = s3
        .write(move |tx| {
            // Looked at again: it may have gone, or keep versions now.
            let bucket = buckets::find(tx, &input.bucket)?;
            check(tx, &input)?;
            if let Some(watch) = &watch {
                watch.check(input.if_none_match.as_ref())?;
            }
            let lock = lock::of_write(&call.context.headers, tx, &bucket, state.now())?;
            let acl = acl::of_write(tx, &bucket, &call)?;
            let encryption = encryption::defaulted(tx, &bucket, object.described.encryption)?;
            let described = Described { encryption, ..object.described };
            let object = Object { segments: staged.keep(tx)?, described, acl, lock, ..object };
            let version = change::write(&state, tx, &call, &bucket, &input.key, object, happened)?;
            let expiration = lifecycle::told(tx, &bucket.name, &input.key, &version)?;
            Ok((bucket.versioning.is_some(), version, expiration))
        })
        .await?;
    let encryption = version.object.map(|object| object.described.encryption).unwrap_or_default();
    let told = checksums::told(Some(&checksum));
    Ok(S3Response::new(PutObjectOutput {
        bucket_key_enabled: encryption.bucket_key,
        checksum_crc32: told.checksum_crc32,
        checksum_crc32c: told.checksum_crc32c,
        checksum_crc64nvme: told.checksum_crc64nvme,
        checksum_sha1: told.checksum_sha1,
        checksum_sha256: told.checksum_sha256,
        checksum_type: told.checksum_type,
        e_tag: Some(ETag::Strong(etag)),
        expiration,
        server_side_encryption: encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: encryption.kms_key,
        sse_customer_algorithm: encryption.customer_key_md5.is_some().then(|| "AES256".to_owned()),
        sse_customer_key_md5: encryption.customer_key_md5,
        version_id: versioned.then_some(version.id),
        ..Default::default()
    }))
}
