//! PutObjectLegalHold and GetObjectLegalHold.

use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput,
};

use super::super::change;
use super::{At, not_locked, status};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, internal, malformed_xml};

const ON: &str = ObjectLockLegalHoldStatus::ON;
const OFF: &str = ObjectLockLegalHoldStatus::OFF;

pub(crate) async fn put_legal_hold(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectLegalHoldInput,
) -> Result<S3Response<PutObjectLegalHoldOutput>, Refusal> {
    let wanted = input.legal_hold.as_ref().and_then(|hold| hold.status.as_ref());
    let held = match wanted.map(ObjectLockLegalHoldStatus::as_str) {
        Some(ON) => true,
        Some(OFF) => false,
        _ => return Err(malformed_xml()),
    };
    let (state, call) = (s3.clone(), Arc::clone(call));
    s3.write(move |tx| {
        let at = At {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_ref(),
        };
        let (bucket, rank, mut version) = at.find(tx, &call)?;
        version.object.as_mut().ok_or_else(internal)?.lock.legal_hold = Some(held);
        change::amend(&state, tx, &call, &bucket, &input.key, rank, &version, None)
    })
    .await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}

pub(crate) async fn legal_hold(
    s3: &S3,
    call: &Call,
    input: GetObjectLegalHoldInput,
) -> Result<S3Response<GetObjectLegalHoldOutput>, Refusal> {
    let at = At {
        bucket: &input.bucket,
        key: &input.key,
        version: input.version_id.as_deref(),
        owner: input.expected_bucket_owner.as_ref(),
    };
    let lock = at.lock(s3, call)?;
    let held = lock.legal_hold.ok_or_else(not_locked)?;
    Ok(S3Response::new(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold { status: Some(status(held)) }),
    }))
}
