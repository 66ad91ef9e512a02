//! PutObjectLockConfiguration and GetObjectLockConfiguration: what new objects are kept by, unless they say it themselves.

use s3s::dto::{
    DefaultRetention, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
    ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput,
};
use s3s::{S3ErrorCode, S3Response};

use super::read;
use crate::call::Call;
use crate::error::{Refusal, custom, invalid_argument, malformed_xml, not_found, refuse};
use crate::record::{BUCKETS, Versioning};
use crate::{S3, buckets};

pub(crate) const KIND: &str = "object-lock";
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>
const DAYS_MAX: i32 = 36_500;
const YEARS_MAX: i32 = 100;

/// Sets the default retention. A bucket that keeps versions can be given object lock so, for good.
pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutObjectLockConfigurationInput,
) -> Result<S3Response<PutObjectLockConfigurationOutput>, Refusal> {
    let configured = input.object_lock_configuration.ok_or_else(malformed_xml)?;
    check(&configured)?;
    s3.write(move |tx| {
        let mut bucket = buckets::find(tx, &input.bucket)?;
        if bucket.versioning != Some(Versioning::Enabled) {
            return Err(custom(
                "InvalidBucketState",
                http::StatusCode::CONFLICT,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ));
        }
        if !bucket.object_lock {
            bucket.object_lock = true;
            tx.put(&BUCKETS, bucket.name.as_str(), &bucket)?;
        }
        super::write(tx, &bucket.name, KIND, &configured)
    })
    .await?;
    Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetObjectLockConfigurationInput,
) -> Result<S3Response<GetObjectLockConfigurationOutput>, Refusal> {
    let configured = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        if !bucket.object_lock {
            return Err(not_found(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
                &bucket.name,
            ));
        }
        read::<ObjectLockConfiguration>(snapshot, &bucket.name, KIND)
    })?;
    let configured = configured.unwrap_or_else(|| ObjectLockConfiguration {
        object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
        rule: None,
    });
    Ok(S3Response::new(GetObjectLockConfigurationOutput { object_lock_configuration: Some(configured) }))
}

fn check(configured: &ObjectLockConfiguration) -> Result<(), Refusal> {
    if configured.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str)
        != Some(ObjectLockEnabled::ENABLED)
    {
        return Err(malformed_xml());
    }
    let Some(rule) = &configured.rule else { return Ok(()) };
    let Some(DefaultRetention { days, mode, years }) = &rule.default_retention else {
        return Err(malformed_xml());
    };
    match mode.as_ref().map(ObjectLockRetentionMode::as_str) {
        Some(ObjectLockRetentionMode::GOVERNANCE | ObjectLockRetentionMode::COMPLIANCE) => {}
        _ => return Err(malformed_xml()),
    }
    let (count, most) = match (days, years) {
        (Some(days), None) => (*days, DAYS_MAX),
        (None, Some(years)) => (*years, YEARS_MAX),
        _ => return Err(malformed_xml()),
    };
    if count <= 0 {
        return Err(invalid_argument("Default retention period must be a positive integer value."));
    }
    if count > most {
        return Err(refuse(S3ErrorCode::InvalidArgument, "Default retention period too large."));
    }
    Ok(())
}
