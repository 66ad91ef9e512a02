//! What stands before a body: made plain for `s3s`, which is to find neither signatures nor buckets in host names.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RANGE,
};
use http::{Response, Uri};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use s3s::dto::Range;
use wire::gateway::Body;

use crate::error::{self, Refusal};

/// What a pre-signed URL carries beside the request. <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
const OF_SIGNATURES: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    // Of the version before.
    "awsaccesskeyid",
    "signature",
    "expires",
];
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";

/// What a client's SDK puts into the query of a pre-signed URL in the place of headers: here they are headers again.
pub(super) fn hoisted(uri: &Uri, headers: &mut HeaderMap) {
    for parameter in uri.query().unwrap_or_default().split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || OF_SIGNATURES.contains(&name.as_str()) {
            continue;
        }
        let value = percent_decode_str(value).collect::<Vec<u8>>();
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) {
            headers.entry(name).or_insert(value);
        }
    }
}

/// Whether a request is one of GetObjectAttributes.
pub(super) fn asks_for_attributes(uri: &Uri) -> bool {
    uri.query()
        .unwrap_or_default()
        .split('&')
        .any(|parameter| matches!(parameter, "attributes" | "attributes="))
}

/// The same request in path style, without a signature in its query.
pub(super) fn plain(uri: &Uri, bucket: Option<&str>) -> Result<Uri, Refusal> {
    let path = uri.path();
    let mut plain = match bucket {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    };
    let mut separator = '?';
    for parameter in uri.query().unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or_default();
        if !OF_SIGNATURES.iter().any(|of| of.eq_ignore_ascii_case(name)) {
            plain.push(separator);
            plain.push_str(parameter);
            separator = '&';
        }
    }
    plain
        .parse()
        .map_err(|_| error::refuse(s3s::S3ErrorCode::InvalidURI, "Couldn't parse the specified URI."))
}

/// Takes out what was of the signature and of the framing: both are dealt with.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove("x-amz-content-sha256");
    if let Some(length) = headers.remove(DECODED_LENGTH) {
        headers.insert(CONTENT_LENGTH, length);
    }
    // S3 gives the whole object for a range that it cannot read, such as several ranges at once.
    let range = headers.get(RANGE).map(|range| range.to_str().is_ok_and(|range| Range::parse(range).is_ok()));
    if range == Some(false) {
        headers.remove(RANGE);
    }
    let Some(encodings) = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else { return };
    let kept: Vec<&str> = encodings
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    match HeaderValue::try_from(kept.join(",")) {
        Ok(value) if !value.is_empty() => drop(headers.insert(CONTENT_ENCODING, value)),
        _ => drop(headers.remove(CONTENT_ENCODING)),
    }
}

/// A body on its way out.
pub(super) fn outflow(body: s3s::Body) -> Body {
    Body::Right(body.map_err(std::io::Error::other).boxed_unsync())
}

/// An answer to a browser that asked beforehand.
pub(super) fn granted(granted: &crate::cors::Granted) -> Response<Body> {
    let mut response = Response::new(wire::gateway::full(""));
    granted.apply(response.headers_mut());
    response
}

/// A refusal as an answer of its own.
pub(super) fn refused(refusal: Refusal) -> Response<Body> {
    match s3s::S3Error::from(refusal).to_http_response() {
        Ok(response) => response.map(outflow),
        Err(_) => {
            let mut response = Response::new(wire::gateway::full(""));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_comes_into_the_path_and_the_signature_out_of_the_query() {
        let check = |uri: &str, bucket: Option<&str>, expected: &str| {
            assert_eq!(plain(&uri.parse().unwrap(), bucket).unwrap(), expected);
        };
        check("/", Some("b"), "/b/");
        check("/k%20%2B?versionId=x&X-Amz-Signature=s&tagging", Some("b"), "/b/k%20%2B?versionId=x&tagging");
        check("/b/k?x-amz-expires=5&X-Amz-Date=d", None, "/b/k");
        check("/b?list-type=2", None, "/b?list-type=2");
    }

    #[test]
    fn only_the_encodings_of_the_object_are_left() {
        let check = |value: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            strip(&mut headers);
            assert_eq!(headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap()), expected);
        };
        check("aws-chunked", None);
        check("aws-chunked, gzip", Some("gzip"));
        check("gzip,AWS-CHUNKED", Some("gzip"));
        check("br", Some("br"));
    }
}
