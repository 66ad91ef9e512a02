//! Bodies that are documents: read whole before `s3s` parses them, and checked against the digests that came with them.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::BodyExt as _;
use s3s::S3ErrorCode;
use s3s::crypto::{Checksum as _, Md5};
use wire::gateway::{Inflow, Trailers};

use crate::checksums::{self, Claim};
use crate::error::{self, Refusal, invalid_request, refuse};

/// Longer than any document can be: a thousand keys of 1,024 bytes, each byte escaped.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;
/// Documents that S3 takes only with a digest.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const DEMANDING: &[&str] = &["delete", "legal-hold", "object-lock", "retention"];

/// The request with a body that `s3s` can read: bytes of an object as they come, a document whole and checked. The document
/// comes beside it.
pub(super) async fn body(
    request: Request<Inflow>,
    trailers: &Trailers,
) -> Result<(Request<s3s::Body>, Bytes), Refusal> {
    if carries_bytes(request.method(), request.uri()) {
        return Ok((request.map(s3s::Body::http_body_unsync), Bytes::new()));
    }
    let (mut parts, mut inflow) = request.into_parts();
    let mut document = BytesMut::new();
    while let Some(frame) = inflow.frame().await {
        let frame = frame.map_err(|broken| error::body_broke(&broken))?;
        let Ok(piece) = frame.into_data() else { continue };
        if document.len() + piece.len() > DOCUMENT_BYTES_MAX {
            return Err(refuse(S3ErrorCode::MaxMessageLengthExceeded, "Your request was too big."));
        }
        document.extend_from_slice(&piece);
    }
    let document = document.freeze();
    // The checksum that completes an upload is its object's.
    let of_object = asks(&parts.uri, "uploadId");
    let checked = check(&parts.headers, &document, !of_object, trailers)?;
    let demanded = matches!(parts.method, Method::PUT | Method::POST)
        && DEMANDING.iter().any(|document| asks(&parts.uri, document));
    if demanded && !checked && !document.is_empty() {
        return Err(invalid_request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ));
    }
    if !document.is_empty() || parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    }
    Ok((Request::from_parts(parts, s3s::Body::from(document.clone())), document))
}

/// Whether a request puts an object or a part of one.
fn carries_bytes(method: &Method, uri: &Uri) -> bool {
    let has_key = uri.path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let plain = |name: &str| matches!(name, "x-id" | "partNumber" | "uploadId") || name.starts_with("x-amz-");
    method == Method::PUT && has_key && names(uri).all(plain)
}

fn asks(uri: &Uri, what: &str) -> bool {
    names(uri).any(|name| name == what)
}

fn names(uri: &Uri) -> impl Iterator<Item = &str> {
    let parameters = uri.query().unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split('=').next().unwrap_or_default())
}

/// Whether there was anything to check.
fn check(
    headers: &HeaderMap,
    document: &Bytes,
    with_checksum: bool,
    trailers: &Trailers,
) -> Result<bool, Refusal> {
    let md5 = checksums::content_md5(headers)?;
    if md5.is_some() {
        checksums::check_md5(md5, Md5::checksum(document))?;
    }
    let claim = if with_checksum { Claim::of(headers)? } else { None };
    if let Some(claim) = &claim {
        let mut hasher = claim.algorithm.hasher();
        hasher.update(document);
        claim.proven(&hasher.finalize(), |name| trailers.get(name))?;
    }
    Ok(md5.is_some() || claim.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_and_parts_are_streamed() {
        let check = |method: Method, uri: &str, expected: bool| {
            assert_eq!(carries_bytes(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        };
        check(Method::PUT, "/b/k", true);
        check(Method::PUT, "/b/k/?x-id=PutObject", true);
        check(Method::PUT, "/b/k?partNumber=1&uploadId=u", true);
        check(Method::PUT, "/b/k?tagging", false);
        check(Method::PUT, "/b/k?acl=&versionId=v", false);
        check(Method::PUT, "/b", false);
        check(Method::PUT, "/b/?cors", false);
        check(Method::POST, "/b?delete", false);
        check(Method::GET, "/b/k", false);
    }

    #[test]
    fn a_document_with_a_wrong_digest_is_refused() {
        let check = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let checked = check(&headers, &Bytes::from_static(b"123456789"), true, &Trailers::default());
            checked.map_err(|Refusal(error)| error.code().as_str().to_owned())
        };
        assert_eq!(check("x-other", "v"), Ok(false));
        assert_eq!(check("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="), Ok(true));
        assert_eq!(check("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), Err("BadDigest".into()));
        assert_eq!(check("x-amz-checksum-crc32", "y/Q5Jg=="), Ok(true));
        assert_eq!(check("x-amz-checksum-crc32", "AAAAAA=="), Err("BadDigest".into()));
    }
}
