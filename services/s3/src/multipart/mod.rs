//! Objects uploaded in parts: a part is kept when it has arrived, and completing an upload copies none of its bytes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

mod abort;
mod complete;
mod create;
mod list_parts;
mod list_uploads;
mod part;
mod part_copy;
mod repeated;

pub(crate) use abort::{abort, discard};
pub(crate) use complete::complete;
pub(crate) use create::create;
pub(crate) use list_parts::list_parts;
pub(crate) use list_uploads::list_uploads;
pub(crate) use part::upload_part;
pub(crate) use part_copy::upload_part_copy;

use http::HeaderMap;
use s3s::S3ErrorCode;
use store::Snapshot;

use crate::checksums::Algorithm;
use crate::error::{Refusal, invalid_argument, invalid_request, refuse};
use crate::limits::PARTS_MAX;
use crate::objects::encryption;
use crate::record::{UPLOADS, Upload};

/// The upload with this id.
fn find(snapshot: &Snapshot<'_>, bucket: &str, key: &str, id: &str) -> Result<Upload, Refusal> {
    snapshot.get(&UPLOADS, (bucket, key, id))?.ok_or_else(|| no_such_upload(id))
}

fn no_such_upload(id: &str) -> Refusal {
    refuse(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
    .with("UploadId", id)
}

/// The client's checksum is not by the algorithm that it began the upload with; or there is none.
fn other_algorithm(expected: Algorithm, actual: Option<Algorithm>) -> Refusal {
    invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.name().to_ascii_lowercase(),
        actual.map_or_else(|| "null".to_owned(), |actual| actual.name().to_ascii_lowercase())
    ))
}

/// Whoever sends a part shows the key that the upload was begun with, if it was with one.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>
fn check_key_shown(upload: &Upload, headers: &HeaderMap) -> Result<(), Refusal> {
    match (&upload.described.encryption.customer_key_md5, encryption::customer_key(headers)?) {
        (None, None) => Ok(()),
        (Some(begun), Some(shown)) if *begun == shown => Ok(()),
        (Some(_), Some(_)) => {
            Err(invalid_request("The provided encryption parameters did not match the ones used originally."))
        }
        (None, Some(_)) | (Some(_), None) => Err(invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
             encryption parameters.",
        )),
    }
}

/// A part's number, as records have it.
fn number(number: i32) -> Result<u64, Refusal> {
    match u64::try_from(number) {
        Ok(valid) if (1..=PARTS_MAX).contains(&number) => Ok(valid),
        _ => Err(invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
            .with("ArgumentName", "partNumber")
            .with("ArgumentValue", &number.to_string())),
    }
}
