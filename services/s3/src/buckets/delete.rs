//! DeleteBucket.

use s3s::dto::{DeleteBucketInput, DeleteBucketOutput};
use s3s::{S3ErrorCode, S3Response};
use store::Scan;

use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, refuse};
use crate::multipart;
use crate::record::{BUCKETS, CONFIGURATIONS, UPLOADS, VERSIONS};

/// Removes an empty bucket with its configurations and the uploads that were never completed.
pub(crate) async fn delete(
    s3: &S3,
    call: &Call,
    input: DeleteBucketInput,
) -> Result<S3Response<DeleteBucketOutput>, Refusal> {
    let name = input.bucket;
    call.expects(input.expected_bucket_owner.as_ref(), &s3.read(|snapshot| super::find(snapshot, &name))?)?;
    let state = s3.clone();
    s3.write(move |tx| {
        super::find(tx, &name)?;
        let versions = tx.keys(&VERSIONS, &Scan::prefix((name.as_str(),)).limit(1))?;
        if !versions.is_empty() {
            let versioned = super::find(tx, &name)?.versioning.is_some();
            return Err(refuse(
                S3ErrorCode::BucketNotEmpty,
                if versioned {
                    "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
                } else {
                    "The bucket you tried to delete is not empty"
                },
            ));
        }
        for (_, key, upload) in tx.keys(&UPLOADS, &Scan::prefix((name.as_str(),)))? {
            multipart::discard(&state, tx, &name, &key, &upload)?;
        }
        tx.delete_prefix(&CONFIGURATIONS, (name.as_str(),))?;
        tx.delete(&BUCKETS, name.as_str())?;
        Ok(())
    })
    .await?;
    Ok(S3Response::with_status(DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
}
