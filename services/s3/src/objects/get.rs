//! GetObject and HeadObject: one answer, with its bytes or without.

use s3s::S3Response;
use s3s::dto::{ChecksumMode, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput};

use super::preconditions::{Conditions, check_read};
use super::slice::{Slice, slice};
use super::{describe, encryption, existing, lock, stamp};
use crate::call::Call;
use crate::checksums;
use crate::error::{self, Refusal};
use crate::record::{Bucket, Object, Version};
use crate::{S3, buckets, content, lifecycle};

pub(crate) async fn get(
    s3: &S3,
    call: &Call,
    input: GetObjectInput,
) -> Result<S3Response<GetObjectOutput>, Refusal> {
    let (found, lease) = content::leased(s3, || find(s3, call, &input), |found| &found.object.segments)?;
    let bytes = found.slice.bytes.clone();
    let body =
        s3.read(|snapshot| content::send(snapshot, &s3.files, &found.object.segments, bytes, lease))?;
    let partial = found.slice.partial;
    let (output, headers) = tell(found, &input);
    let mut response = S3Response::with_headers(GetObjectOutput { body: Some(body), ..output }, headers);
    response.status = partial.then_some(http::StatusCode::PARTIAL_CONTENT);
    Ok(response)
}

pub(crate) async fn head(
    s3: &S3,
    call: &Call,
    input: HeadObjectInput,
) -> Result<S3Response<HeadObjectOutput>, Refusal> {
    let input = GetObjectInput {
        bucket: input.bucket,
        checksum_mode: input.checksum_mode,
        expected_bucket_owner: input.expected_bucket_owner,
        if_match: input.if_match,
        if_modified_since: input.if_modified_since,
        if_none_match: input.if_none_match,
        if_unmodified_since: input.if_unmodified_since,
        key: input.key,
        part_number: input.part_number,
        range: input.range,
        request_payer: input.request_payer,
        response_cache_control: input.response_cache_control,
        response_content_disposition: input.response_content_disposition,
        response_content_encoding: input.response_content_encoding,
        response_content_language: input.response_content_language,
        response_content_type: input.response_content_type,
        response_expires: input.response_expires,
        sse_customer_algorithm: input.sse_customer_algorithm,
        sse_customer_key: input.sse_customer_key,
        sse_customer_key_md5: input.sse_customer_key_md5,
        version_id: input.version_id,
    };
    let found = find(s3, call, &input)?;
    let partial = found.slice.partial;
    let (told, headers) = tell(found, &input);
    let output = HeadObjectOutput {
        accept_ranges: told.accept_ranges,
        bucket_key_enabled: told.bucket_key_enabled,
        cache_control: input.response_cache_control.or(told.cache_control),
        checksum_crc32: told.checksum_crc32,
        checksum_crc32c: told.checksum_crc32c,
        checksum_crc64nvme: told.checksum_crc64nvme,
        checksum_sha1: told.checksum_sha1,
        checksum_sha256: told.checksum_sha256,
        checksum_type: told.checksum_type,
        content_disposition: input.response_content_disposition.or(told.content_disposition),
        content_encoding: input.response_content_encoding.or(told.content_encoding),
        content_language: input.response_content_language.or(told.content_language),
        content_length: told.content_length,
        content_range: told.content_range,
        content_type: input.response_content_type.or(told.content_type),
        e_tag: told.e_tag,
        expiration: told.expiration,
        expires: input.response_expires.or(told.expires),
        last_modified: told.last_modified,
        metadata: told.metadata,
        object_lock_legal_hold_status: told.object_lock_legal_hold_status,
        object_lock_mode: told.object_lock_mode,
        object_lock_retain_until_date: told.object_lock_retain_until_date,
        parts_count: told.parts_count,
        sse_customer_algorithm: told.sse_customer_algorithm,
        sse_customer_key_md5: told.sse_customer_key_md5,
        ssekms_key_id: told.ssekms_key_id,
        server_side_encryption: told.server_side_encryption,
        storage_class: told.storage_class,
        version_id: told.version_id,
        website_redirect_location: told.website_redirect_location,
        ..Default::default()
    };
    let mut response = S3Response::with_headers(output, headers);
    response.status = partial.then_some(http::StatusCode::PARTIAL_CONTENT);
    Ok(response)
}

/// What a reader gets.
struct Found {
    bucket: Bucket,
    version: Version,
    object: Object,
    slice: Slice,
    /// When a rule of the bucket has it go.
    expiration: Option<String>,
}

fn find(s3: &S3, call: &Call, input: &GetObjectInput) -> Result<Found, Refusal> {
    let (bucket, mut version, expiration) = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        let (bucket, _, version) = existing(snapshot, bucket, &input.key, input.version_id.as_deref())?;
        let expiration = match input.version_id {
            None => lifecycle::told(snapshot, &bucket.name, &input.key, &version)?,
            Some(_) => None,
        };
        Ok((bucket, version, expiration))
    })?;
    let object = version.object.take().ok_or_else(error::internal)?;
    encryption::check_reader(&object, input.sse_customer_key_md5.as_deref())?;
    let conditions = Conditions {
        if_match: input.if_match.as_ref(),
        if_none_match: input.if_none_match.as_ref(),
        if_modified_since: input.if_modified_since.as_ref(),
        if_unmodified_since: input.if_unmodified_since.as_ref(),
    };
    check_read(&conditions, &version, &object)?;
    let slice = slice(&object, input.range.as_ref(), input.part_number)?;
    Ok(Found { bucket, version, object, slice, expiration })
}

fn tell(found: Found, input: &GetObjectInput) -> (GetObjectOutput, http::HeaderMap) {
    let Found { bucket, version, object, slice, expiration } = found;
    let mut headers = http::HeaderMap::new();
    let (length, tags) = (slice.bytes.end - slice.bytes.start, object.tags.len());
    let mut output = GetObjectOutput {
        expiration,
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(length).ok(),
        content_range: (slice.partial && length > 0)
            .then(|| format!("bytes {}-{}/{}", slice.bytes.start, slice.bytes.end - 1, object.size)),
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(stamp(version.modified)),
        parts_count: input.part_number.and(i32::try_from(object.parts.len()).ok()).filter(|count| *count > 0),
        tag_count: i32::try_from(tags).ok().filter(|count| *count > 0),
        version_id: bucket.versioning.map(|_| version.id),
        ..Default::default()
    };
    // A date that is none is told as it was sent.
    if let Some(expires) = &object.described.expires
        && let Ok(expires) = http::HeaderValue::try_from(expires)
        && input.response_expires.is_none()
    {
        headers.insert(http::header::EXPIRES, expires);
    }
    lock::tell(&object.lock, &mut output);
    describe::tell(object.described, &mut output);
    let asked = input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    let whole = length == object.size;
    if asked && (whole || input.part_number.is_some()) {
        let of_part =
            input.part_number.and_then(|part| object.parts.get(usize::try_from(part).ok()?.checked_sub(1)?));
        let told = match (of_part, &object.checksum) {
            (Some(part), Some(checksum)) if !whole => part
                .checksum
                .as_ref()
                .map(|value| checksums::of_value(&checksum.algorithm, value))
                .unwrap_or_default(),
            _ => checksums::told(object.checksum.as_ref()),
        };
        output.checksum_crc32 = told.checksum_crc32;
        output.checksum_crc32c = told.checksum_crc32c;
        output.checksum_crc64nvme = told.checksum_crc64nvme;
        output.checksum_sha1 = told.checksum_sha1;
        output.checksum_sha256 = told.checksum_sha256;
        output.checksum_type = told.checksum_type;
    }
    (output, headers)
}
