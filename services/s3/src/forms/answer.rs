//! What a form is answered with: where the object is, as the form wants to hear it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::PutObjectOutput;
use wire::gateway::{Body, escaped_for_xml, full};

use super::fields::Fields;

/// What stays of a key in an object's URL; its slashes do not.
const IN_URL: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stays in a value of a query, as forms write it.
const IN_FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');

/// What was posted.
pub(super) struct Posted<'p> {
    pub(super) bucket: &'p str,
    pub(super) key: &'p str,
    /// The URL of the bucket, as it was asked for.
    pub(super) bucket_url: &'p str,
}

/// The answer to a form whose object is stored.
pub(super) fn answer(form: &Fields, posted: &Posted<'_>, output: PutObjectOutput) -> Response<Body> {
    let etag = format!("\"{}\"", output.e_tag.as_ref().map_or("", |etag| etag.value()));
    let location = format!("{}/{}", posted.bucket_url, utf8_percent_encode(posted.key, &IN_URL));
    let redirect = form.get("success_action_redirect").or_else(|| form.get("redirect"));
    let redirect = redirect.and_then(|to| redirection(to, posted, &etag));
    let status = match (&redirect, form.get("success_action_status")) {
        (Some(_), _) => StatusCode::SEE_OTHER,
        (None, Some("200")) => StatusCode::OK,
        (None, Some("201")) => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    };
    let document = (status == StatusCode::CREATED).then(|| document(&location, posted, &etag));
    let mut response = Response::new(full(document.clone().unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    tell(headers, output);
    if document.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    for (name, value) in [(ETAG, HeaderValue::try_from(etag)), (LOCATION, HeaderValue::try_from(location))] {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    }
    if let Some(redirect) = redirect {
        headers.insert(LOCATION, redirect);
    }
    response
}

/// Where a browser goes next; nowhere, if it is no URL.
fn redirection(to: &str, posted: &Posted<'_>, etag: &str) -> Option<HeaderValue> {
    let host = to.strip_prefix("http://").or_else(|| to.strip_prefix("https://"))?;
    if host.is_empty() || host.starts_with(['/', '?', '#']) {
        return None;
    }
    let in_form = |text: &str| utf8_percent_encode(text, &IN_FORM).to_string().replace(' ', "+");
    let separator = if to.contains('?') { '&' } else { '?' };
    let to = format!(
        "{to}{separator}bucket={}&key={}&etag={}",
        in_form(posted.bucket),
        in_form(posted.key),
        in_form(etag)
    );
    HeaderValue::from_bytes(to.as_bytes()).ok()
}

fn document(location: &str, posted: &Posted<'_>, etag: &str) -> String {
    let mut document = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
    let elements = [("Location", location), ("Bucket", posted.bucket), ("Key", posted.key), ("ETag", etag)];
    for (name, text) in elements {
        for part in ["<", name, ">", &escaped_for_xml(text), "</", name, ">"] {
            document.push_str(part);
        }
    }
    document.push_str("</PostResponse>");
    document
}

/// What a PUT says in headers, a form's answer does, too.
fn tell(headers: &mut HeaderMap, output: PutObjectOutput) {
    let told = [
        ("x-amz-version-id", output.version_id),
        ("x-amz-expiration", output.expiration),
        ("x-amz-server-side-encryption", output.server_side_encryption.map(|kind| kind.as_str().to_owned())),
        ("x-amz-server-side-encryption-aws-kms-key-id", output.ssekms_key_id),
        (
            "x-amz-server-side-encryption-bucket-key-enabled",
            output.bucket_key_enabled.map(|enabled| enabled.to_string()),
        ),
        ("x-amz-server-side-encryption-customer-algorithm", output.sse_customer_algorithm),
        ("x-amz-server-side-encryption-customer-key-md5", output.sse_customer_key_md5),
        ("x-amz-checksum-crc32", output.checksum_crc32),
        ("x-amz-checksum-crc32c", output.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", output.checksum_crc64nvme),
        ("x-amz-checksum-sha1", output.checksum_sha1),
        ("x-amz-checksum-sha256", output.checksum_sha256),
        ("x-amz-checksum-type", output.checksum_type.map(|kind| kind.as_str().to_owned())),
    ];
    for (name, value) in told {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTED: Posted<'_> = Posted { bucket: "b", key: "a b/ü&<", bucket_url: "http://h:1/b" };

    fn answered(fields: &[(&str, &str)]) -> Response<Body> {
        let mut form = Fields::default();
        fields.iter().for_each(|(name, value)| form.add(name, value));
        let output = PutObjectOutput {
            e_tag: Some(s3s::dto::ETag::Strong("e".to_owned())),
            version_id: Some("v".to_owned()),
            ..PutObjectOutput::default()
        };
        answer(&form, &POSTED, output)
    }

    #[test]
    fn a_form_says_how_it_wants_to_be_answered() {
        let object = "http://h:1/b/a%20b%2F%C3%BC%26%3C";
        let result = "bucket=b&key=a+b%2F%C3%BC%26%3C&etag=%22e%22";
        let check = |fields: &[(&str, &str)], status: u16, location: &str| {
            let answer = answered(fields);
            let headers = answer.headers();
            assert_eq!(answer.status().as_u16(), status, "{fields:?}");
            assert_eq!(headers[LOCATION], location, "{fields:?}");
            assert_eq!(headers[ETAG], "\"e\"");
            assert_eq!(headers["x-amz-version-id"], "v");
        };
        check(&[], 204, object);
        check(&[("success_action_status", "200")], 200, object);
        check(&[("success_action_status", "201")], 201, object);
        check(&[("success_action_status", "204")], 204, object);
        check(&[("success_action_status", "404")], 204, object);
        let to = "https://example.com/done";
        check(&[("success_action_redirect", to)], 303, &format!("{to}?{result}"));
        check(&[("redirect", to), ("success_action_status", "201")], 303, &format!("{to}?{result}"));
        let with_query = "http://example.com/?a=b c";
        check(&[("success_action_redirect", with_query)], 303, &format!("{with_query}&{result}"));
        for none in ["/relative", "ftp://example.com/", "http://", "http:///x", "https://a\nb/"] {
            check(&[("success_action_redirect", none), ("success_action_status", "201")], 201, object);
        }
    }

    #[test]
    fn a_document_says_where_the_object_is() {
        assert_eq!(
            document("http://h/b/k", &POSTED, "\"e\""),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>http://h/b/k</Location>\
             <Bucket>b</Bucket><Key>a b/ü&amp;&lt;</Key><ETag>&quot;e&quot;</ETag></PostResponse>"
        );
    }
}
