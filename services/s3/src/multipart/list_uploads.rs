//! ListMultipartUploads.

use std::ops::ControlFlow;

use s3s::S3Response;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    MultipartUpload, StorageClass,
};
use store::{Scan, Snapshot};

use crate::call::Call;
use crate::error::{Refusal, invalid_argument};
use crate::lists::{Spelling, behind, folded, owner};
use crate::objects::stamp;
use crate::record::{UPLOADS, Upload};
use crate::{S3, buckets};

/// What one answer may hold. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
const PAGE_MAX: i32 = 1000;

/// Uploads that are under way, by their keys and then by when they began.
pub(crate) async fn list_uploads(
    s3: &S3,
    call: &Call,
    input: ListMultipartUploadsInput,
) -> Result<S3Response<ListMultipartUploadsOutput>, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let count = match input.max_uploads {
        None => PAGE_MAX,
        Some(count) if count >= 1 => count.min(PAGE_MAX),
        Some(_) => {
            return Err(invalid_argument("Argument max-uploads must be an integer between 1 and 2147483647"));
        }
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let key_marker = input.key_marker.clone().unwrap_or_default();
    // Without a key it means nothing, and S3 does not look at it.
    let id_marker = input.upload_id_marker.clone().filter(|id| !key_marker.is_empty() && !id.is_empty());
    let after = match (key_marker.as_str(), id_marker) {
        ("", _) => After::Start,
        (key, _) if folded(key, &prefix, delimiter) == Some(key) => After::Prefix(key.to_owned()),
        (key, None) => After::Key(key.to_owned()),
        (key, Some(id)) => After::Upload(key.to_owned(), id),
    };
    let limit = usize::try_from(count).unwrap_or(0);
    let Page { uploads, prefixes, last, truncated } = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        page(snapshot, &Wanted { bucket: &input.bucket, prefix: &prefix, delimiter, limit }, after)
    })?;
    let listed = uploads.into_iter().map(|(key, id, upload)| MultipartUpload {
        checksum_algorithm: upload.checksum_asked.then(|| ChecksumAlgorithm::from(upload.checksum_algorithm)),
        checksum_type: upload.checksum_asked.then(|| ChecksumType::from(upload.checksum_kind)),
        initiated: Some(stamp(upload.initiated)),
        initiator: Some(Initiator {
            id: Some(upload.initiator.clone()),
            display_name: Some(upload.initiator),
        }),
        key: Some(spelling.write(&key)),
        owner: Some(owner(&upload.owner)),
        storage_class: Some(StorageClass::from(
            upload.described.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
        )),
        upload_id: Some(id),
    });
    let listed: Vec<MultipartUpload> = listed.collect();
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: spelling.prefixes(prefixes),
        delimiter: input.delimiter.as_deref().map(|delimiter| spelling.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(truncated),
        key_marker: Some(spelling.write(&key_marker)),
        max_uploads: Some(count),
        next_key_marker: truncated.then(|| spelling.write(&last.0)),
        next_upload_id_marker: truncated.then_some(last.1),
        prefix: Some(spelling.write(&prefix)),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        uploads: Some(listed).filter(|uploads| !uploads.is_empty()),
        ..Default::default()
    }))
}

/// Which uploads are wanted.
struct Wanted<'w> {
    bucket: &'w str,
    prefix: &'w str,
    /// Keys that have it behind the prefix are folded.
    delimiter: Option<&'w str>,
    limit: usize,
}

/// Where a page begins.
enum After {
    Start,
    /// Behind all uploads of a key.
    Key(String),
    /// Behind one upload of a key.
    Upload(String, String),
    /// Behind all keys with a prefix.
    Prefix(String),
}

#[derive(Default)]
struct Page {
    uploads: Vec<(String, String, Upload)>,
    prefixes: Vec<String>,
    /// The last key, with the id of its upload, or the last prefix.
    last: (String, String),
    truncated: bool,
}

/// Walks uploads in their order, past what a prefix folds by seeking.
fn page(snapshot: &Snapshot<'_>, wanted: &Wanted<'_>, after: After) -> Result<Page, Refusal> {
    let (mut page, mut position) = (Page::default(), after);
    loop {
        let Some(scan) = scan(wanted, &position) else { return Ok(page) };
        let mut seek = None;
        snapshot.visit(&UPLOADS, &scan, |(_, key, id), upload: Upload| {
            if page.uploads.len() + page.prefixes.len() == wanted.limit {
                page.truncated = true;
                return ControlFlow::Break(());
            }
            if let Some(into) = folded(&key, wanted.prefix, wanted.delimiter) {
                page.last = (into.to_owned(), String::new());
                page.prefixes.push(into.to_owned());
                seek = Some(After::Prefix(into.to_owned()));
                return ControlFlow::Break(());
            }
            page.last = (key.clone(), id.clone());
            page.uploads.push((key, id, upload));
            ControlFlow::Continue(())
        })?;
        match seek {
            Some(next) => position = next,
            None => return Ok(page),
        }
    }
}

/// Nothing if there can be nothing.
fn scan(wanted: &Wanted<'_>, position: &After) -> Option<Scan<(String, String, String)>> {
    let scan = Scan::prefix((wanted.bucket,)).starting_with(wanted.prefix);
    Some(match position {
        After::Start => scan,
        // Behind every id: their letters are none of these.
        After::Key(key) => scan.after((wanted.bucket, key.as_str(), "\u{10ffff}")),
        After::Upload(key, id) => scan.after((wanted.bucket, key.as_str(), id.as_str())),
        After::Prefix(prefix) => scan.at_least((wanted.bucket, behind(prefix)?.as_str())),
    })
}
