//! CompleteMultipartUpload.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, ETag, ServerSideEncryption,
};
use s3s::{S3ErrorCode, S3Response};
use store::{Scan, Tx};

use super::{no_such_upload, repeated};
use crate::call::Call;
use crate::checksums::{self, Algorithm, COMPOSITE};
use crate::error::{Refusal, entity_too_large, internal, invalid_request, malformed_xml, refuse};
use crate::limits::{OBJECT_BYTES_MAX, PART_BYTES_MIN};
use crate::notify::Happened;
use crate::objects::{change, conflict};
use crate::record::{Checksum, Encryption, Object, PARTS, Part, PartOf, UPLOADS, Upload, Version};
use crate::{S3, buckets, content};

/// Makes an object of the parts that the client names; the others go.
pub(crate) async fn complete(
    s3: &S3,
    call: &Arc<Call>,
    input: CompleteMultipartUploadInput,
) -> Result<S3Response<CompleteMultipartUploadOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let named = input.multipart_upload.as_ref().and_then(|upload| upload.parts.clone()).unwrap_or_default();
    check_order(&named)?;
    let location = format!("{}/{}/{}", s3.base_url, input.bucket, crate::lists::in_url(&input.key));
    let (state, call) = (s3.clone(), Arc::clone(call));
    let (name, key) = (input.bucket.clone(), input.key.clone());
    let (version, versioned) = s3
        .write(move |tx| {
            let bucket = buckets::find(tx, &input.bucket)?;
            let at = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
            let Some(upload) = tx.get(&UPLOADS, at)? else {
                let version = repeated::find(tx, at, &named)?;
                return Ok((version.ok_or_else(|| no_such_upload(at.2))?, bucket.versioning.is_some()));
            };
            let (if_match, if_none_match) = (input.if_match.as_ref(), input.if_none_match.as_ref());
            conflict::check_upload(tx, (&input.bucket, &input.key), &upload, if_match, if_none_match)?;
            let object = assemble(&state, tx, &input, &named, upload)?;
            let happened = Happened::CreatedByCompleteMultipartUpload;
            let version = change::write(&state, tx, &call, &bucket, &input.key, object, happened)?;
            Ok((version, bucket.versioning.is_some()))
        })
        .await?;
    let Version { id, object, .. } = version;
    let object = object.ok_or_else(internal)?;
    let told = checksums::told(object.checksum.as_ref());
    let Encryption { kms_key, bucket_key, .. } = object.described.encryption.clone();
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(name),
        bucket_key_enabled: bucket_key,
        checksum_crc32: told.checksum_crc32,
        checksum_crc32c: told.checksum_crc32c,
        checksum_crc64nvme: told.checksum_crc64nvme,
        checksum_sha1: told.checksum_sha1,
        checksum_sha256: told.checksum_sha256,
        checksum_type: told.checksum_type,
        e_tag: Some(ETag::Strong(object.etag)),
        key: Some(key),
        location: Some(location),
        server_side_encryption: object.described.encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: kms_key,
        version_id: versioned.then_some(id),
        ..Default::default()
    }))
}

fn check_order(named: &[CompletedPart]) -> Result<(), Refusal> {
    if named.is_empty() || named.iter().any(|part| part.part_number.is_none()) {
        return Err(malformed_xml());
    }
    if named.windows(2).any(|pair| pair[0].part_number >= pair[1].part_number) {
        return Err(refuse(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    Ok(())
}

/// The object that the named parts make. The upload ends, and parts that are not named are discarded.
fn assemble(
    s3: &S3,
    tx: &mut Tx<'_>,
    input: &CompleteMultipartUploadInput,
    named: &[CompletedPart],
    upload: Upload,
) -> Result<Object, Refusal> {
    let id = input.upload_id.as_str();
    let there = tx.scan(&PARTS, &Scan::prefix((id,)))?;
    let mut there: BTreeMap<u64, Part> =
        there.into_iter().map(|((_, number), part)| (number, part)).collect();
    let mut used: Vec<(u64, Part)> = Vec::with_capacity(named.len());
    for (index, name) in named.iter().enumerate() {
        let number = name.part_number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        let same =
            |part: &Part| name.e_tag.as_ref().is_some_and(|etag| etag.value().trim_matches('"') == part.etag);
        let part = there.remove(&number).filter(same).ok_or_else(|| invalid_part(id, name))?;
        check_claim(&upload, id, name, &part)?;
        if part.size < PART_BYTES_MIN && index + 1 < named.len() {
            return Err(refuse(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with("ProposedSize", &part.size.to_string())
            .with("MinSizeAllowed", &PART_BYTES_MIN.to_string())
            .with("PartNumber", &number.to_string())
            .with("ETag", &part.etag));
        }
        used.push((number, part));
    }
    let size = used.iter().map(|(_, part)| part.size).sum();
    if size > OBJECT_BYTES_MAX {
        return Err(entity_too_large());
    }
    if input.mpu_object_size.is_some_and(|said| u64::try_from(said) != Ok(size)) {
        return Err(invalid_request(
            "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
        ));
    }
    let checksum = checksum(&upload, &used)?;
    check_whole(input, &checksum)?;
    let etag = etag(used.iter().map(|(_, part)| part.etag.as_str())).ok_or_else(internal)?;
    for (number, part) in &there {
        content::discard(s3, tx, &part.segments)?;
        tx.delete(&PARTS, (id, *number))?;
    }
    tx.delete_prefix(&PARTS, (id,))?;
    tx.delete(&UPLOADS, (input.bucket.as_str(), input.key.as_str(), id))?;
    Ok(Object {
        size,
        etag,
        parts: used
            .iter()
            .map(|(number, part)| PartOf {
                number: *number,
                size: part.size,
                checksum: Some(part.checksum.value.clone()),
            })
            .collect(),
        upload: Some(input.upload_id.clone()),
        segments: used.into_iter().flat_map(|(_, part)| part.segments).collect(),
        checksum: Some(checksum),
        described: upload.described,
        tags: upload.tags,
        acl: upload.acl,
        lock: upload.lock,
    })
}

/// The MD5 of the parts' MD5s, and how many they are.
pub(super) fn etag<'e>(parts: impl ExactSizeIterator<Item = &'e str>) -> Option<String> {
    let (mut md5, count) = (Md5::new(), parts.len());
    for part in parts {
        md5.update(&u128::from_str_radix(part, 16).ok()?.to_be_bytes());
    }
    Some(format!("{}-{count}", content::hex(&md5.finalize())))
}

fn checksum(upload: &Upload, parts: &[(u64, Part)]) -> Result<Checksum, Refusal> {
    let algorithm = Algorithm::named(&upload.checksum_algorithm).ok_or_else(internal)?;
    let values = || parts.iter().map(|(_, part)| part.checksum.value.as_str());
    let found = if upload.checksum_kind == COMPOSITE {
        checksums::composite(algorithm, values())
    } else {
        checksums::combined(algorithm, values().zip(parts.iter().map(|(_, part)| part.size)))
    };
    found.ok_or_else(internal)
}

/// What the client says of a part must be what was kept of it.
fn check_claim(upload: &Upload, id: &str, name: &CompletedPart, part: &Part) -> Result<(), Refusal> {
    let said = s3s::dto::Checksum {
        checksum_crc32: name.checksum_crc32.clone(),
        checksum_crc32c: name.checksum_crc32c.clone(),
        checksum_crc64nvme: name.checksum_crc64nvme.clone(),
        checksum_sha1: name.checksum_sha1.clone(),
        checksum_sha256: name.checksum_sha256.clone(),
        checksum_type: None,
    };
    let algorithm = Algorithm::named(&part.checksum.algorithm).ok_or_else(internal)?;
    match algorithm.value(&said) {
        Some(value) if value != part.checksum.value => Err(invalid_part(id, name)),
        None if upload.checksum_asked && upload.checksum_kind == COMPOSITE => Err(invalid_request(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. \
             It was missing for part {} in the request.",
            algorithm.name().to_ascii_lowercase(),
            name.part_number.unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

/// What the client says of the whole must be what the parts make.
fn check_whole(input: &CompleteMultipartUploadInput, checksum: &Checksum) -> Result<(), Refusal> {
    let said = s3s::dto::Checksum {
        checksum_crc32: input.checksum_crc32.clone(),
        checksum_crc32c: input.checksum_crc32c.clone(),
        checksum_crc64nvme: input.checksum_crc64nvme.clone(),
        checksum_sha1: input.checksum_sha1.clone(),
        checksum_sha256: input.checksum_sha256.clone(),
        checksum_type: None,
    };
    let algorithm = Algorithm::named(&checksum.algorithm).ok_or_else(internal)?;
    if input.checksum_type.as_ref().is_some_and(|kind| kind.as_str() != checksum.kind) {
        return Err(invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            checksum.kind
        )));
    }
    if let Some(other) =
        Algorithm::ALL.into_iter().find(|one| *one != algorithm && one.value(&said).is_some())
    {
        return Err(super::other_algorithm(algorithm, Some(other)));
    }
    let without_count = checksum.value.split('-').next().unwrap_or_default();
    match algorithm.value(&said) {
        Some(value) if value != checksum.value && value != without_count => Err(refuse(
            S3ErrorCode::BadDigest,
            format!("The {} you specified did not match the calculated checksum.", algorithm.name()),
        )),
        _ => Ok(()),
    }
}

fn invalid_part(upload: &str, named: &CompletedPart) -> Refusal {
    refuse(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag.",
    )
    .with("UploadId", upload)
    .with("PartNumber", &named.part_number.unwrap_or_default().to_string())
    .with("ETag", named.e_tag.as_ref().map_or("", |etag| etag.value()))
}
