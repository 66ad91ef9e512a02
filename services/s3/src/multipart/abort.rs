//! AbortMultipartUpload.

use s3s::S3Response;
use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use store::{Scan, Tx};

use super::find;
use crate::call::Call;
use crate::error::Refusal;
use crate::record::{PARTS, UPLOADS};
use crate::{S3, buckets, content};

pub(crate) async fn abort(
    s3: &S3,
    call: &Call,
    input: AbortMultipartUploadInput,
) -> Result<S3Response<AbortMultipartUploadOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    let state = s3.clone();
    s3.write(move |tx| {
        find(tx, &input.bucket, &input.key, &input.upload_id)?;
        discard(&state, tx, &input.bucket, &input.key, &input.upload_id)
    })
    .await?;
    Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), http::StatusCode::NO_CONTENT))
}

/// Takes an upload out, with all of its parts.
pub(crate) fn discard(s3: &S3, tx: &mut Tx<'_>, bucket: &str, key: &str, id: &str) -> Result<(), Refusal> {
    for (at, part) in tx.scan(&PARTS, &Scan::prefix((id,)))? {
        content::discard(s3, tx, &part.segments)?;
        tx.delete(&PARTS, &at)?;
    }
    tx.delete(&UPLOADS, (bucket, key, id))?;
    Ok(())
}
