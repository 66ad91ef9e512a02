//! GetObjectAttributes.

use s3s::S3Response;
use s3s::dto::{
    ETag, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectPart,
    StorageClass,
};

use super::{encryption, existing, stamp};
use crate::call::Call;
use crate::checksums;
use crate::error::{self, Refusal, invalid_argument};
use crate::record::Object;
use crate::{S3, buckets};

/// What can be asked for. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
const ATTRIBUTES: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
const PARTS_MAX: i32 = 1000;

pub(crate) async fn attributes(
    s3: &S3,
    call: &Call,
    input: GetObjectAttributesInput,
) -> Result<S3Response<GetObjectAttributesOutput>, Refusal> {
    // Some clients send the names in one header, some in one each.
    let asked: Vec<&str> =
        input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
    if asked.is_empty() || asked.iter().any(|name| !ATTRIBUTES.contains(name)) {
        return Err(invalid_argument("Invalid attribute name specified.")
            .with("ArgumentName", "x-amz-object-attributes"));
    }
    let (bucket, mut version) = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        let (bucket, _, version) = existing(snapshot, bucket, &input.key, input.version_id.as_deref())?;
        Ok((bucket, version))
    })?;
    let object = version.object.take().ok_or_else(error::internal)?;
    encryption::check_reader(&object, input.sse_customer_key_md5.as_deref())?;
    let wants = |name: &str| asked.contains(&name);
    let class = object.described.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: wants("Checksum").then(|| checksums::told(object.checksum.as_ref())),
        e_tag: wants("ETag").then(|| ETag::Strong(object.etag.clone())),
        last_modified: Some(stamp(version.modified)),
        object_parts: (wants("ObjectParts") && !object.parts.is_empty()).then(|| parts(&object, &input)),
        object_size: wants("ObjectSize").then(|| i64::try_from(object.size).unwrap_or(i64::MAX)),
        storage_class: wants("StorageClass").then(|| StorageClass::from(class)),
        version_id: bucket.versioning.map(|_| version.id),
        ..Default::default()
    }))
}

fn parts(object: &Object, input: &GetObjectAttributesInput) -> GetObjectAttributesParts {
    let marker = input.part_number_marker.unwrap_or(0);
    let count = input.max_parts.unwrap_or(PARTS_MAX).clamp(0, PARTS_MAX);
    let after = u64::try_from(marker).unwrap_or(0);
    let rest: Vec<_> = object.parts.iter().filter(|part| part.number > after).collect();
    let shown = &rest[..rest.len().min(usize::try_from(count).unwrap_or(0))];
    let algorithm = object.checksum.as_ref().map(|checksum| checksum.algorithm.as_str());
    let listed = shown.iter().map(|part| {
        let told = match (algorithm, &part.checksum) {
            (Some(algorithm), Some(value)) => checksums::of_value(algorithm, value),
            _ => s3s::dto::Checksum::default(),
        };
        ObjectPart {
            checksum_crc32: told.checksum_crc32,
            checksum_crc32c: told.checksum_crc32c,
            checksum_crc64nvme: told.checksum_crc64nvme,
            checksum_sha1: told.checksum_sha1,
            checksum_sha256: told.checksum_sha256,
            part_number: i32::try_from(part.number).ok(),
            size: i64::try_from(part.size).ok(),
        }
    });
    GetObjectAttributesParts {
        is_truncated: Some(shown.len() < rest.len()),
        max_parts: Some(count),
        next_part_number_marker: shown.last().and_then(|part| i32::try_from(part.number).ok()),
        part_number_marker: Some(marker),
        parts: Some(listed.collect()),
        total_parts_count: i32::try_from(object.parts.len()).ok(),
    }
}
