//! PutBucketVersioning and GetBucketVersioning.

use s3s::dto::{
    BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};
use s3s::{S3ErrorCode, S3Response};

use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, custom, malformed_xml, not_implemented, refuse};
use crate::record::{BUCKETS, Versioning};

/// Once enabled, versions can be suspended and never be switched off.
pub(crate) async fn put_versioning(
    s3: &S3,
    call: &Call,
    input: PutBucketVersioningInput,
) -> Result<S3Response<PutBucketVersioningOutput>, Refusal> {
    let wanted = match input.versioning_configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) => return Err(malformed_xml()),
        None => {
            return Err(custom(
                "IllegalVersioningConfigurationException",
                http::StatusCode::BAD_REQUEST,
                "The Versioning element must be specified",
            ));
        }
    };
    match input.versioning_configuration.mfa_delete.as_ref().map(|delete| delete.as_str()) {
        None | Some("Disabled") => {}
        Some("Enabled") => return Err(not_implemented("MFA delete")),
        Some(_) => return Err(malformed_xml()),
    }
    let bucket = s3.read(|snapshot| super::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    s3.write(move |tx| {
        let mut bucket = super::find(tx, &input.bucket)?;
        if bucket.object_lock && wanted == Versioning::Suspended {
            return Err(refuse(
                S3ErrorCode::InvalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            ));
        }
        bucket.versioning = Some(wanted);
        Ok(tx.put(&BUCKETS, bucket.name.as_str(), &bucket)?)
    })
    .await?;
    Ok(S3Response::new(PutBucketVersioningOutput {}))
}

/// Nothing for a bucket that never had versions.
pub(crate) async fn versioning(
    s3: &S3,
    call: &Call,
    input: GetBucketVersioningInput,
) -> Result<S3Response<GetBucketVersioningOutput>, Refusal> {
    let bucket = s3.read(|snapshot| super::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let status = bucket.versioning.map(|versioning| match versioning {
        Versioning::Enabled => BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED),
    });
    Ok(S3Response::new(GetBucketVersioningOutput { status, mfa_delete: None }))
}
