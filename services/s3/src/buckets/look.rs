//! HeadBucket and GetBucketLocation.

use s3s::S3Response;
use s3s::dto::{
    BucketLocationConstraint, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput,
};

use crate::S3;
use crate::call::Call;
use crate::error::Refusal;

/// Whether a bucket is there, and where.
pub(crate) async fn head(
    s3: &S3,
    call: &Call,
    input: HeadBucketInput,
) -> Result<S3Response<HeadBucketOutput>, Refusal> {
    let bucket = s3.read(|snapshot| super::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    Ok(S3Response::new(HeadBucketOutput {
        access_point_alias: Some(false),
        bucket_region: Some(bucket.region.as_str().to_owned()),
        ..Default::default()
    }))
}

/// A bucket's region; us-east-1 has no name here.
pub(crate) async fn location(
    s3: &S3,
    call: &Call,
    input: GetBucketLocationInput,
) -> Result<S3Response<GetBucketLocationOutput>, Refusal> {
    let bucket = s3.read(|snapshot| super::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let region = bucket.region.as_str();
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: (region != "us-east-1")
            .then(|| BucketLocationConstraint::from(region.to_owned())),
    }))
}
