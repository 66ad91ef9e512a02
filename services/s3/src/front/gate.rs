//! What is refused before an operation is known: names that no bucket has, buckets of other regions, and parts of S3 that
//! `s3s` would take for something else.

use http::{Method, Uri};
use s3s::S3ErrorCode;

use super::signature::Signature;
use crate::access::{self, Target};
use crate::call::Call;
use crate::error::{Refusal, custom, invalid_argument, not_implemented, refuse};
use crate::{S3, buckets};

/// Sub-resources newer than `s3s`, which would answer a list or an object in their place.
const UNKNOWN: &[(&str, &str)] = &[
    ("abac", "attribute-based access control of buckets (?abac)"),
    ("metadataConfiguration", "metadata configurations"),
    ("metadataInventoryTable", "metadata tables"),
    ("metadataJournalTable", "metadata tables"),
    ("annotation", "object annotations"),
    ("renameObject", "RenameObject, which directory buckets alone do"),
];

/// Lets a request through, whose path is in path style.
pub(super) fn check(
    s3: &S3,
    call: &Call,
    method: &Method,
    uri: &Uri,
    host_label: Option<&str>,
) -> Result<(), Refusal> {
    let target = Target::of(uri);
    let Some(bucket) = target.bucket.as_deref() else { return Ok(()) };
    buckets::check_name(bucket)?;
    check_copy_source(call)?;
    let is_bare = |name: &str| target.parameter(name) == Some("");
    if let Some((_, what)) = UNKNOWN.iter().find(|(name, _)| is_bare(name)) {
        return Err(not_implemented(what));
    }
    let is_creation = *method == Method::PUT && target.key.is_none() && target.query.is_empty();
    if is_creation || target.parameter("location").is_some() {
        return Ok(());
    }
    let asked = call.context.scope.region.as_str();
    let is_signed = call.signature.kind().is_some();
    let is_in_host = host_label.is_some_and(|label| label.split('.').any(|part| part == asked));
    if !is_signed && !is_in_host {
        return Ok(());
    }
    match access::region(s3, bucket)? {
        Some(region) if region.as_str() != asked => {
            Err(elsewhere(&call.signature, bucket, asked, region.as_str(), is_in_host))
        }
        _ => Ok(()),
    }
}

/// Refuses the source of a copy that names no key, in S3's words and not in those of `s3s`.
fn check_copy_source(call: &Call) -> Result<(), Refusal> {
    let Some(source) = call.context.headers.get("x-amz-copy-source") else { return Ok(()) };
    let source = String::from_utf8_lossy(source.as_bytes());
    let path = source.strip_prefix('/').unwrap_or(&source);
    let names_key = path.to_ascii_lowercase().contains("%2f") || path.contains('/');
    if names_key || path.starts_with("arn:") {
        return Ok(());
    }
    Err(invalid_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        .with("ArgumentName", "x-amz-copy-source")
        .with("ArgumentValue", &source))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>
fn elsewhere(signature: &Signature, bucket: &str, asked: &str, region: &str, is_in_host: bool) -> Refusal {
    let refusal = match signature.kind() {
        _ if is_in_host => custom(
            "PermanentRedirect",
            http::StatusCode::MOVED_PERMANENTLY,
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all \
             future requests to this endpoint.",
        )
        .with("Endpoint", &format!("{bucket}.s3.{region}.amazonaws.com"))
        .with("Bucket", bucket),
        Some("REST-QUERY-STRING") => refuse(
            S3ErrorCode::AuthorizationQueryParametersError,
            format!(
                "Error parsing the X-Amz-Credential parameter; the region '{asked}' is wrong; expecting '{region}'"
            ),
        )
        .with("Region", region),
        _ => refuse(
            S3ErrorCode::AuthorizationHeaderMalformed,
            format!(
                "The authorization header is malformed; the region '{asked}' is wrong; expecting '{region}'"
            ),
        )
        .with("Region", region),
    };
    refusal.header("x-amz-bucket-region", region)
}
