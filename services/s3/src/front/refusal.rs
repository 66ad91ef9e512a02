//! The document of an error, as S3 writes it: `s3s` gives its code and its message, this what else it says.

use bytes::BytesMut;
use http::Response;
use http_body_util::BodyExt as _;
use uuid::Uuid;
use wire::gateway::{Body, escaped_for_xml, full, s3_ids};

use super::head;
use crate::error::{self, DETAIL, Refusal};

const END: &[u8] = b"</Error>";

/// S3's words for what `s3s` refuses with a code alone, before a handler sees the request.
const UNSAID: [(&str, &str); 3] = [
    ("KeyTooLongError", "Your key is too long"),
    ("InvalidBucketName", "The specified bucket is not valid."),
    (
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
];

/// A refusal that comes before `s3s` has the request.
pub(super) async fn of(refusal: Refusal, resource: &str, request_id: Uuid) -> Response<Body> {
    match s3s::S3Error::from(refusal).to_http_response() {
        Ok(response) => complete(response, resource, request_id).await,
        Err(_) => head::refused(error::internal()),
    }
}

/// The same answer with what it is about: the elements of who refused, the resource, and the ids of the request.
pub(super) async fn complete(
    response: Response<s3s::Body>,
    resource: &str,
    request_id: Uuid,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if parts.status == http::StatusCode::NOT_MODIFIED {
        return Response::from_parts(parts, full(""));
    }
    // `s3s` has it in memory.
    let Ok(body) = body.collect().await else { return head::refused(error::internal()) };
    let body = body.to_bytes();
    let Some(start) = body.strip_suffix(END) else { return Response::from_parts(parts, full(body)) };
    let mut document = BytesMut::from(start);
    if let Some((_, message)) = UNSAID.iter().find(|(code, _)| {
        start.strip_suffix(b"</Code>").is_some_and(|said| said.ends_with(format!("<Code>{code}").as_bytes()))
    }) {
        document.extend_from_slice(format!("<Message>{message}</Message>").as_bytes());
    }
    for detail in parts.headers.get_all(DETAIL) {
        document.extend_from_slice(detail.as_bytes());
    }
    let (id, host_id) = s3_ids(request_id);
    let rest = format!(
        "<Resource>{}</Resource><RequestId>{id}</RequestId><HostId>{host_id}</HostId>",
        escaped_for_xml(resource)
    );
    document.extend_from_slice(rest.as_bytes());
    document.extend_from_slice(END);
    parts.headers.remove(DETAIL);
    parts.headers.remove(http::header::CONTENT_LENGTH);
    // Headers of a refusal's own took its place.
    parts.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    Response::from_parts(parts, full(document.freeze()))
}

/// The same answer with an ETag that stands without quotes, which GetObjectAttributes alone has.
pub(super) async fn unquoted(response: Response<s3s::Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return head::refused(error::internal()) };
    let document = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let plain = document
        .replace("<ETag>&quot;", "<ETag>")
        .replace("&quot;</ETag>", "</ETag>")
        .replace("<ETag>\"", "<ETag>")
        .replace("\"</ETag>", "</ETag>");
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(parts, full(plain))
}
