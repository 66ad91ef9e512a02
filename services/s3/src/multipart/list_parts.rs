//! ListParts.

use s3s::S3Response;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, ETag, Initiator, ListPartsInput, ListPartsOutput, Part as Listed,
    StorageClass,
};
use store::Scan;

use super::find;
use crate::call::Call;
use crate::checksums;
use crate::error::{Refusal, invalid_argument};
use crate::lists::owner;
use crate::objects::stamp;
use crate::record::PARTS;
use crate::{S3, buckets};

/// What one answer may hold. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
const PAGE_MAX: i32 = 1000;

pub(crate) async fn list_parts(
    s3: &S3,
    call: &Call,
    input: ListPartsInput,
) -> Result<S3Response<ListPartsOutput>, Refusal> {
    let count = match input.max_parts {
        None => PAGE_MAX,
        Some(count) if count >= 0 => count.min(PAGE_MAX),
        Some(_) => {
            return Err(invalid_argument("Argument max-parts must be an integer between 0 and 2147483647"));
        }
    };
    let after = input.part_number_marker.unwrap_or(0);
    let marker = u64::try_from(after).map_err(|_| {
        invalid_argument("Argument part-number-marker must be an integer between 0 and 2147483647")
    })?;
    let limit = usize::try_from(count).unwrap_or(0);
    let (upload, mut found) = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        let upload = find(snapshot, &bucket.name, &input.key, &input.upload_id)?;
        let id = input.upload_id.as_str();
        let scan = Scan::prefix((id,)).after((id, marker)).limit(limit + 1);
        Ok((upload, snapshot.scan(&PARTS, &scan)?))
    })?;
    let truncated = limit > 0 && found.len() > limit;
    found.truncate(limit);
    let next = found.last().and_then(|((_, number), _)| i32::try_from(*number).ok());
    let parts = found.into_iter().map(|((_, number), part)| {
        let told = checksums::told(upload.checksum_asked.then_some(&part.checksum));
        Listed {
            checksum_crc32: told.checksum_crc32,
            checksum_crc32c: told.checksum_crc32c,
            checksum_crc64nvme: told.checksum_crc64nvme,
            checksum_sha1: told.checksum_sha1,
            checksum_sha256: told.checksum_sha256,
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(stamp(part.modified)),
            part_number: i32::try_from(number).ok(),
            size: i64::try_from(part.size).ok(),
        }
    });
    let parts: Vec<Listed> = parts.collect();
    let asked = upload.checksum_asked;
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: asked.then(|| ChecksumAlgorithm::from(upload.checksum_algorithm)),
        checksum_type: asked.then(|| ChecksumType::from(upload.checksum_kind)),
        initiator: Some(Initiator {
            id: Some(upload.initiator.clone()),
            display_name: Some(upload.initiator),
        }),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: Some(count),
        next_part_number_marker: Some(next.unwrap_or(0)),
        owner: Some(owner(&upload.owner)),
        part_number_marker: Some(after),
        parts: Some(parts).filter(|parts| !parts.is_empty()),
        storage_class: Some(StorageClass::from(
            upload.described.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
        )),
        upload_id: Some(input.upload_id),
        ..Default::default()
    }))
}
