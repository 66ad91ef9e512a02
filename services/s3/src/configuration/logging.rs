//! PutBucketLogging and GetBucketLogging. Kept and shown; Hearth writes no access logs of buckets.

use s3s::S3Response;
use s3s::dto::{
    BucketLoggingStatus, GetBucketLoggingInput, GetBucketLoggingOutput, PutBucketLoggingInput,
    PutBucketLoggingOutput,
};

use super::of_bucket;
use super::ownership::{self, Ownership};
use crate::call::Call;
use crate::error::{Refusal, custom, malformed_xml};
use crate::record::BUCKETS;
use crate::{S3, buckets};

pub(crate) const KIND: &str = "logging";

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketLoggingInput,
) -> Result<S3Response<PutBucketLoggingOutput>, Refusal> {
    let status = input.bucket_logging_status;
    s3.write(move |tx| {
        let bucket = buckets::find(tx, &input.bucket)?;
        let Some(enabled) = &status.logging_enabled else {
            return super::remove(tx, &bucket.name, KIND).map(drop);
        };
        let unfit = |why| Err(custom("InvalidTargetBucketForLogging", http::StatusCode::BAD_REQUEST, why));
        let Some(target) = tx.get(&BUCKETS, enabled.target_bucket.as_str())? else {
            return unfit("The target bucket for logging does not exist");
        };
        if target.owner != bucket.owner {
            return unfit("The owner for the bucket to be logged and the target bucket must be the same.");
        }
        if target.region != bucket.region {
            return unfit("The target bucket for logging must be in the same region as the source bucket.");
        }
        if let Some(format) = &enabled.target_object_key_format
            && format.partitioned_prefix.is_some() == format.simple_prefix.is_some()
        {
            return Err(malformed_xml());
        }
        let has_grants = enabled.target_grants.as_ref().is_some_and(|grants| !grants.is_empty());
        if has_grants && ownership::of(tx, &target.name)? == Ownership::BucketOwnerEnforced {
            return Err(super::acl::not_supported());
        }
        super::write(tx, &bucket.name, KIND, &status)
    })
    .await?;
    Ok(S3Response::new(PutBucketLoggingOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketLoggingInput,
) -> Result<S3Response<GetBucketLoggingOutput>, Refusal> {
    let configured = of_bucket::<BucketLoggingStatus>(s3, &input.bucket, KIND)?;
    Ok(S3Response::new(GetBucketLoggingOutput {
        logging_enabled: configured.and_then(|configured| configured.logging_enabled),
    }))
}
