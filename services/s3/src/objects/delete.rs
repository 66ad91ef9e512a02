//! DeleteObject.

use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};

use super::preconditions::{At, check_write};
use super::{change, check_key};
use crate::call::Call;
use crate::error::{Refusal, not_implemented};
use crate::{S3, buckets};

pub(crate) async fn delete(
    s3: &S3,
    call: &Arc<Call>,
    input: DeleteObjectInput,
) -> Result<S3Response<DeleteObjectOutput>, Refusal> {
    check_key(&input.key)?;
    if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(not_implemented(
            "x-amz-if-match-last-modified-time and x-amz-if-match-size, which directory buckets alone have",
        ));
    }
    let (state, call) = (s3.clone(), Arc::clone(call));
    let deleted = s3
        .write(move |tx| {
            let bucket = buckets::find(tx, &input.bucket)?;
            call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
            let at = At { bucket: &input.bucket, key: &input.key, version: input.version_id.as_deref() };
            check_write(tx, at, input.if_match.as_ref(), None)?;
            let bypass = input.bypass_governance_retention == Some(true);
            match &input.version_id {
                None => change::delete_current(&state, tx, &call, &bucket, &input.key),
                Some(id) => change::delete_version(&state, tx, &call, &bucket, &input.key, id, bypass),
            }
        })
        .await?;
    Ok(S3Response::with_status(
        DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version,
            ..Default::default()
        },
        http::StatusCode::NO_CONTENT,
    ))
}
