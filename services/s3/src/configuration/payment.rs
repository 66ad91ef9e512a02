//! Who pays, and whether transfers are accelerated: what a bucket on one's own machine has only one answer to.

use s3s::S3Response;
use s3s::dto::{
    BucketAccelerateStatus, GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput,
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, Payer,
    PutBucketAccelerateConfigurationInput, PutBucketAccelerateConfigurationOutput,
    PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput,
};

use crate::call::Call;
use crate::error::{Refusal, invalid_request, malformed_xml, not_implemented};
use crate::record::CONFIGURATIONS;
use crate::{S3, buckets};

/// The value is a status and no document: there is nothing else to it.
const ACCELERATE: &str = "accelerate";

pub(crate) async fn put_request_payment(
    s3: &S3,
    _: &Call,
    input: PutBucketRequestPaymentInput,
) -> Result<S3Response<PutBucketRequestPaymentOutput>, Refusal> {
    s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    match input.request_payment_configuration.payer.as_str() {
        Payer::BUCKET_OWNER => Ok(S3Response::new(PutBucketRequestPaymentOutput {})),
        Payer::REQUESTER => Err(not_implemented("buckets whose requesters pay")),
        _ => Err(malformed_xml()),
    }
}

pub(crate) async fn request_payment(
    s3: &S3,
    _: &Call,
    input: GetBucketRequestPaymentInput,
) -> Result<S3Response<GetBucketRequestPaymentOutput>, Refusal> {
    s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    let payer = Some(Payer::from_static(Payer::BUCKET_OWNER));
    Ok(S3Response::new(GetBucketRequestPaymentOutput { payer }))
}

pub(crate) async fn put_accelerate(
    s3: &S3,
    _: &Call,
    input: PutBucketAccelerateConfigurationInput,
) -> Result<S3Response<PutBucketAccelerateConfigurationOutput>, Refusal> {
    if input.bucket.contains('.') {
        return Err(invalid_request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        ));
    }
    match input.accelerate_configuration.status.as_ref().map(BucketAccelerateStatus::as_str) {
        Some(BucketAccelerateStatus::SUSPENDED) => {}
        Some(BucketAccelerateStatus::ENABLED) => return Err(not_implemented("S3 Transfer Acceleration")),
        _ => return Err(malformed_xml()),
    }
    s3.write(move |tx| {
        buckets::find(tx, &input.bucket)?;
        let suspended = BucketAccelerateStatus::SUSPENDED.to_owned();
        Ok(tx.put(&CONFIGURATIONS, (input.bucket.as_str(), ACCELERATE), &suspended)?)
    })
    .await?;
    Ok(S3Response::new(PutBucketAccelerateConfigurationOutput {}))
}

/// Without a status, unless one was set.
pub(crate) async fn accelerate(
    s3: &S3,
    _: &Call,
    input: GetBucketAccelerateConfigurationInput,
) -> Result<S3Response<GetBucketAccelerateConfigurationOutput>, Refusal> {
    let status = s3.read(|snapshot| {
        buckets::find(snapshot, &input.bucket)?;
        Ok(snapshot.get(&CONFIGURATIONS, (input.bucket.as_str(), ACCELERATE))?)
    })?;
    Ok(S3Response::new(GetBucketAccelerateConfigurationOutput {
        status: status.map(BucketAccelerateStatus::from),
        ..Default::default()
    }))
}
