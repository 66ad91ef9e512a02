//! CreateMultipartUpload.

use s3s::S3Response;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ServerSideEncryption,
};

use crate::call::Call;
use crate::checksums::{Algorithm, COMPOSITE, FULL_OBJECT};
use crate::error::{Refusal, invalid_request};
use crate::objects::{acl, check_key, describe, encryption, lock, tags};
use crate::record::{Described, UPLOADS, Upload};
use crate::{S3, buckets, version_id};

pub(crate) async fn create(
    s3: &S3,
    call: &Call,
    input: CreateMultipartUploadInput,
) -> Result<S3Response<CreateMultipartUploadOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    check_key(&input.key)?;
    let wanted = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
    let asked = wanted.is_some();
    let (algorithm, kind) = checksum(wanted, input.checksum_type.as_ref().map(ChecksumType::as_str))?;
    let headers = &call.context.headers;
    let asked_of = describe::of(headers)?;
    let (acl, lock, encryption) = s3.read(|snapshot| {
        Ok((
            acl::of_write(snapshot, &bucket, call)?,
            lock::of_write(headers, snapshot, &bucket, s3.now())?,
            encryption::defaulted(snapshot, &bucket, asked_of.encryption)?,
        ))
    })?;
    let upload = Upload {
        initiated: s3.now(),
        owner: call.account().clone(),
        initiator: call.context.principal.arn(),
        described: Described { encryption, ..asked_of },
        tags: tags::of_header(input.tagging.as_deref())?,
        acl,
        lock,
        checksum_algorithm: algorithm.name().to_owned(),
        checksum_kind: kind.to_owned(),
        checksum_asked: asked,
        deleted: false,
    };
    // Ids of one key are in the order of their uploads' beginnings.
    let id = version_id::new(u64::try_from(upload.initiated.epoch_ms()).unwrap_or(0)) + &version_id::new(0);
    let encryption = upload.described.encryption.clone();
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        checksum_algorithm: asked.then(|| ChecksumAlgorithm::from(algorithm.name().to_owned())),
        checksum_type: asked.then(|| ChecksumType::from(kind.to_owned())),
        key: Some(input.key.clone()),
        upload_id: Some(id.clone()),
        bucket_key_enabled: encryption.bucket_key,
        server_side_encryption: encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: encryption.kms_key,
        sse_customer_algorithm: encryption.customer_key_md5.is_some().then(|| "AES256".to_owned()),
        sse_customer_key_md5: encryption.customer_key_md5,
        ..Default::default()
    };
    let state = s3.clone();
    s3.write(move |tx| {
        buckets::find(tx, &input.bucket)?;
        tx.put(&UPLOADS, (input.bucket.as_str(), input.key.as_str(), id.as_str()), &upload)?;
        crate::lifecycle::stir(&state, tx, &input.bucket)
    })
    .await?;
    Ok(S3Response::new(output))
}

/// Which checksum the object will have.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
fn checksum(algorithm: Option<&str>, kind: Option<&str>) -> Result<(Algorithm, &'static str), Refusal> {
    let Some(name) = algorithm else {
        return match kind {
            None => Ok((Algorithm::Crc64Nvme, FULL_OBJECT)),
            Some(_) => Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = Algorithm::asked(name)?;
    let kinds: &[&'static str] = match algorithm {
        Algorithm::Crc32 | Algorithm::Crc32c => &[COMPOSITE, FULL_OBJECT],
        Algorithm::Crc64Nvme => &[FULL_OBJECT],
        Algorithm::Sha1 | Algorithm::Sha256 => &[COMPOSITE],
    };
    let Some(kind) = kind else { return Ok((algorithm, kinds[0])) };
    let found = kinds.iter().find(|known| **known == kind);
    found.map(|kind| (algorithm, *kind)).ok_or_else(|| {
        invalid_request(format!(
            "The {kind} checksum type cannot be used with the {} checksum algorithm.",
            algorithm.name().to_ascii_lowercase()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_has_its_kinds() {
        let check = |algorithm, kind, expected: Option<(Algorithm, &str)>| {
            assert_eq!(checksum(algorithm, kind).ok(), expected, "{algorithm:?} {kind:?}");
        };
        check(None, None, Some((Algorithm::Crc64Nvme, FULL_OBJECT)));
        check(None, Some(FULL_OBJECT), None);
        check(Some("CRC32"), None, Some((Algorithm::Crc32, COMPOSITE)));
        check(Some("CRC32"), Some(FULL_OBJECT), Some((Algorithm::Crc32, FULL_OBJECT)));
        check(Some("CRC64NVME"), Some(COMPOSITE), None);
        check(Some("SHA256"), Some(FULL_OBJECT), None);
        check(Some("SHA256"), None, Some((Algorithm::Sha256, COMPOSITE)));
        check(Some("MD5"), None, None);
    }
}
