//! UploadPart.

use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{ETag, ServerSideEncryption, StreamingBlob, UploadPartInput, UploadPartOutput};
use wire::gateway::Trailers;

use super::{check_key_shown, find, number, other_algorithm};
use crate::call::Call;
use crate::checksums::{self, Algorithm, COMPOSITE, Claim};
use crate::content::Staged;
use crate::error::{Refusal, entity_too_large, internal};
use crate::limits::PUT_BYTES_MAX;
use crate::record::{Checksum, PARTS, Part, Upload};
use crate::{S3, buckets, content};

pub(crate) async fn upload_part(
    s3: &S3,
    call: &Arc<Call>,
    input: UploadPartInput,
) -> Result<S3Response<UploadPartOutput>, Refusal> {
    let number = number(input.part_number)?;
    let upload = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        find(snapshot, &bucket.name, &input.key, &input.upload_id)
    })?;
    check_key_shown(&upload, &call.context.headers)?;
    let length = input.content_length.and_then(|length| u64::try_from(length).ok());
    if length.is_some_and(|length| length > PUT_BYTES_MAX) {
        return Err(entity_too_large());
    }
    let place = Place { bucket: input.bucket, key: input.key, upload_id: input.upload_id, number };
    let claim = Claim::of(&call.context.headers)?;
    if claim.is_none() && upload.checksum_asked && upload.checksum_kind == COMPOSITE {
        // What is made of the parts' checksums needs them all.
        let expected = Algorithm::named(&upload.checksum_algorithm).ok_or_else(internal)?;
        return Err(other_algorithm(expected, None));
    }
    let md5 = checksums::content_md5(&call.context.headers)?;
    let check = Check { md5, trailers: call.trailers.clone() };
    let (part, told) = keep(s3, &upload, place, input.body, claim, check).await?;
    let told = checksums::told(told.as_ref());
    let encryption = upload.described.encryption;
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.etag)),
        checksum_crc32: told.checksum_crc32,
        checksum_crc32c: told.checksum_crc32c,
        checksum_crc64nvme: told.checksum_crc64nvme,
        checksum_sha1: told.checksum_sha1,
        checksum_sha256: told.checksum_sha256,
        bucket_key_enabled: encryption.bucket_key,
        server_side_encryption: encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: encryption.kms_key,
        sse_customer_algorithm: encryption.customer_key_md5.is_some().then(|| "AES256".to_owned()),
        sse_customer_key_md5: encryption.customer_key_md5,
        ..Default::default()
    }))
}

/// Which part of which upload.
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) number: u64,
}

/// What the client says that its bytes are.
#[derive(Default)]
pub(super) struct Check {
    pub(super) md5: Option<[u8; 16]>,
    pub(super) trailers: Trailers,
}

/// Takes a part in, in the place of one with the same number; and what is to be told of its checksum.
pub(super) async fn keep(
    s3: &S3,
    upload: &Upload,
    place: Place,
    body: Option<StreamingBlob>,
    claim: Option<Claim>,
    check: Check,
) -> Result<(Part, Option<Checksum>), Refusal> {
    let algorithm = Algorithm::named(&upload.checksum_algorithm).ok_or_else(internal)?;
    if let Some(claim) = &claim
        && upload.checksum_asked
        && claim.algorithm != algorithm
    {
        return Err(other_algorithm(algorithm, Some(claim.algorithm)));
    }
    // The upload's own, and the client's if it sends another.
    let mut hasher = algorithm.hasher();
    if let Some(claim) = &claim {
        let other = claim.algorithm.hasher();
        hasher.crc32 = hasher.crc32.or(other.crc32);
        hasher.crc32c = hasher.crc32c.or(other.crc32c);
        hasher.crc64nvme = hasher.crc64nvme.or(other.crc64nvme);
        hasher.sha1 = hasher.sha1.or(other.sha1);
        hasher.sha256 = hasher.sha256.or(other.sha256);
    }
    let received = content::receive(&s3.files, body, hasher, PUT_BYTES_MAX).await?;
    checksums::check_md5(check.md5, received.md5)?;
    let told = claim.as_ref().map(|claim| claim.proven(&received.checksum, |name| check.trailers.get(name)));
    let told = told.transpose()?;
    let own = Claim::none(Some(algorithm)).proven(&received.checksum, |_| None)?;
    let part = Part {
        segments: Vec::new(),
        size: received.size,
        etag: received.etag(),
        checksum: own,
        modified: s3.now(),
    };
    write(s3, place, received.staged, part.clone()).await?;
    Ok((part, told))
}

/// Makes these bytes a part, in the place of one with the same number.
pub(super) async fn write(s3: &S3, place: Place, staged: Staged, part: Part) -> Result<(), Refusal> {
    let state = s3.clone();
    s3.write(move |tx| {
        let Place { bucket, key, upload_id, number } = &place;
        // It may have been completed or aborted meanwhile.
        find(tx, bucket, key, upload_id)?;
        let at = (upload_id.as_str(), *number);
        if let Some(replaced) = tx.get(&PARTS, at)? {
            content::discard(&state, tx, &replaced.segments)?;
        }
        let part = Part { segments: staged.keep(tx)?, ..part };
        Ok(tx.put(&PARTS, at, &part)?)
    })
    .await
}
