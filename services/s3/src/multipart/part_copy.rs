//! UploadPartCopy.

use std::ops::Range;
use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{CopyPartResult, ETag, ServerSideEncryption, UploadPartCopyInput, UploadPartCopyOutput};

use super::part::{Check, Place, keep, write};
use super::{check_key_shown, find, number};
use crate::call::Call;
use crate::checksums::{FULL_OBJECT, told};
use crate::error::{Refusal, internal, invalid_argument, invalid_request};
use crate::limits::PUT_BYTES_MAX;
use crate::objects::preconditions::Conditions;
use crate::objects::{Source, open_source, stamp};
use crate::record::{Checksum, Object, Part, Upload};
use crate::{S3, buckets, content};

/// Copies a range of an object, or all of it, into a part.
pub(crate) async fn upload_part_copy(
    s3: &S3,
    call: &Arc<Call>,
    input: UploadPartCopyInput,
) -> Result<S3Response<UploadPartCopyOutput>, Refusal> {
    let number = number(input.part_number)?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match.as_ref(),
        if_none_match: input.copy_source_if_none_match.as_ref(),
        if_modified_since: input.copy_source_if_modified_since.as_ref(),
        if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let shown = input.copy_source_sse_customer_key_md5.as_deref();
    let owner = input.expected_source_bucket_owner.as_ref();
    let source = open_source(s3, call, &input.copy_source, owner, shown, &conditions)?;
    let Source { bucket: from, version, object, lease } = source;
    let range = range(input.copy_source_range.as_deref(), object.size)?;
    if range.end - range.start > PUT_BYTES_MAX {
        return Err(invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_BYTES_MAX}"
        )));
    }
    let upload = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        find(snapshot, &bucket.name, &input.key, &input.upload_id)
    })?;
    check_key_shown(&upload, &call.context.headers)?;
    let place = Place { bucket: input.bucket, key: input.key, upload_id: input.upload_id, number };
    let part = if range == (0..object.size) && is_known(&object, &upload) {
        let staged = content::share(s3, &object.segments).await?;
        drop(lease);
        let part = Part {
            segments: Vec::new(),
            size: object.size,
            etag: object.etag,
            checksum: object.checksum.ok_or_else(internal)?,
            modified: s3.now(),
        };
        write(s3, place, staged, part.clone()).await?;
        part
    } else {
        let body = s3.read(|snapshot| content::send(snapshot, &s3.files, &object.segments, range, lease))?;
        keep(s3, &upload, place, Some(body), None, Check::default()).await?.0
    };
    let encryption = upload.described.encryption;
    let told = told(upload.checksum_asked.then_some(&part.checksum));
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            checksum_crc32: told.checksum_crc32,
            checksum_crc32c: told.checksum_crc32c,
            checksum_crc64nvme: told.checksum_crc64nvme,
            checksum_sha1: told.checksum_sha1,
            checksum_sha256: told.checksum_sha256,
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(stamp(part.modified)),
        }),
        copy_source_version_id: from.versioning.map(|_| version.id),
        bucket_key_enabled: encryption.bucket_key,
        server_side_encryption: encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: encryption.kms_key,
        sse_customer_algorithm: encryption.customer_key_md5.is_some().then(|| "AES256".to_owned()),
        sse_customer_key_md5: encryption.customer_key_md5,
        ..Default::default()
    }))
}

/// Whether nothing must be read of an object to make it a part: its digest and its checksum are those of the part.
fn is_known(object: &Object, upload: &Upload) -> bool {
    let same =
        |checksum: &Checksum| checksum.algorithm == upload.checksum_algorithm && checksum.kind == FULL_OBJECT;
    object.parts.is_empty() && object.checksum.as_ref().is_some_and(same)
}

/// `bytes=first-last` of an object with this size.
fn range(header: Option<&str>, size: u64) -> Result<Range<u64>, Refusal> {
    let Some(header) = header else { return Ok(0..size) };
    let parsed = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let parsed =
        parsed.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match parsed {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some((first, last)) if first <= last => {
            Err(invalid_argument(format!("Range specified is not valid for source object of size: {size}")))
        }
        _ => Err(invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_source() {
        let check = |header, expected: Option<Range<u64>>| {
            assert_eq!(range(header, 10).ok(), expected, "{header:?}");
        };
        check(None, Some(0..10));
        check(Some("bytes=0-9"), Some(0..10));
        check(Some("bytes=3-3"), Some(3..4));
        for header in ["bytes=0-10", "bytes=5-4", "bytes=-5", "bytes=5-", "0-5", "bytes=a-b"] {
            check(Some(header), None);
        }
    }
}
