//! The canonical request: the one spelling of a request that both sides digest.

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use super::View;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In a path the slash stays.
const RESERVED_IN_PATH: AsciiSet = RESERVED.remove(b'/');

/// Takes the canonical request piece by piece, so that verifying builds no string.
pub(super) trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        Digest::update(self, bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A header that the signature covers is not in the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MissingHeader;

/// Writes the canonical request. `signed_headers` is the claim's list, as sent; `payload` the line for the body.
pub(super) fn write(
    view: &View<'_>,
    service: &str,
    signed_headers: &str,
    payload: &str,
    sink: &mut impl Sink,
) -> Result<(), MissingHeader> {
    sink.put(view.method.as_bytes());
    sink.put(b"\n");
    if is_s3(service) {
        path_encoded_once(view.path, sink);
    } else {
        path_encoded_twice(view.path, sink);
    }
    sink.put(b"\n");
    query(view.query, sink);
    sink.put(b"\n");
    for name in signed_headers.split(';') {
        header(view, name, sink)?;
    }
    sink.put(b"\n");
    sink.put(signed_headers.as_bytes());
    sink.put(b"\n");
    sink.put(payload.as_bytes());
    Ok(())
}

/// S3 and its relatives take object keys literally: one encoding, and `.`, `..` and `//` mean themselves.
pub(super) fn is_s3(service: &str) -> bool {
    matches!(service, "s3" | "s3express" | "s3-object-lambda" | "s3-outposts")
}

fn path_encoded_once(path: &str, sink: &mut impl Sink) {
    if path.is_empty() {
        return sink.put(b"/");
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    encode(&decoded, &RESERVED_IN_PATH, sink);
}

/// Other services normalise the path, then encode what was already encoded.
fn path_encoded_twice(path: &str, sink: &mut impl Sink) {
    if !needs_normalising(path) {
        return encode(if path.is_empty() { b"/" } else { path.as_bytes() }, &RESERVED_IN_PATH, sink);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        sink.put(b"/");
        encode(segment.as_bytes(), &RESERVED, sink);
    }
    if segments.is_empty() || path.ends_with('/') {
        sink.put(b"/");
    }
}

fn needs_normalising(path: &str) -> bool {
    // Wider than strictly necessary ("/.x" too): the slow way gives the same answer.
    memchr::memmem::find(path.as_bytes(), b"//").is_some()
        || memchr::memmem::find(path.as_bytes(), b"/.").is_some()
}

/// Parameters sorted by name, then value, in the encoding that AWS prescribes. The signature itself is left out.
fn query(raw: &str, sink: &mut impl Sink) {
    if raw.is_empty() {
        return;
    }
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = raw
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    parameters.sort_unstable();
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            sink.put(b"&");
        }
        sink.put(name);
        sink.put(b"=");
        sink.put(value);
    }
}

fn recoded(text: &str) -> Vec<u8> {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    let mut encoded = Vec::with_capacity(text.len());
    encode(&decoded, &RESERVED, &mut encoded);
    encoded
}

fn encode(bytes: &[u8], set: &'static AsciiSet, sink: &mut impl Sink) {
    for piece in percent_encode(bytes, set) {
        sink.put(piece.as_bytes());
    }
}

/// `name:value\n`, values of a repeated header joined by commas.
fn header(view: &View<'_>, name: &str, sink: &mut impl Sink) -> Result<(), MissingHeader> {
    sink.put(name.as_bytes());
    sink.put(b":");
    let mut values = values(view.headers, name);
    match (values.next(), view.authority) {
        (Some(first), _) => {
            trimmed(first, sink);
            for value in values {
                sink.put(b",");
                trimmed(value, sink);
            }
        }
        (None, Some(authority)) if name == "host" => sink.put(authority.as_bytes()),
        (None, _) => return Err(MissingHeader),
    }
    sink.put(b"\n");
    Ok(())
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes)
}

/// Surrounding blanks removed, runs of blanks inside made one space.
fn trimmed(value: &[u8], sink: &mut impl Sink) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            sink.put(b" ");
        }
        sink.put(word);
    }
}

/// A header name that [`HeaderMap::get_all`] accepts and that stands in canonical spelling.
pub(super) fn is_canonical_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: fn(&str, &mut Vec<u8>), input: &str, expected: &str) {
        let mut out = Vec::new();
        write(input, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{input}");
    }

    #[test]
    fn paths_are_normalised_and_encoded_twice_except_for_s3() {
        fn twice(path: &str, out: &mut Vec<u8>) {
            path_encoded_twice(path, out);
        }
        fn once(path: &str, out: &mut Vec<u8>) {
            path_encoded_once(path, out);
        }
        for (path, expected_twice, expected_once) in [
            ("/", "/", "/"),
            ("", "/", "/"),
            ("/a/b", "/a/b", "/a/b"),
            ("/a%20b", "/a%2520b", "/a%20b"),
            ("/a:b", "/a%3Ab", "/a%3Ab"),
            ("/a/./b/../c", "/a/c", "/a/./b/../c"),
            ("//a//b/", "/a/b/", "//a//b/"),
            ("/..", "/", "/.."),
            ("/.", "/", "/."),
            ("/.a", "/.a", "/.a"),
            ("/%E1%88%B4", "/%25E1%2588%25B4", "/%E1%88%B4"),
            ("/%2Fa", "/%252Fa", "//a"),
        ] {
            check(twice, path, expected_twice);
            check(once, path, expected_once);
        }
    }

    #[test]
    fn a_query_is_sorted_and_recoded() {
        fn wrap(raw: &str, out: &mut Vec<u8>) {
            query(raw, out);
        }
        for (raw, expected) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("tagKeys", "tagKeys="),
            ("a=%7e%2f+", "a=~%2F%2B"),
            ("X-Amz-Signature=1&a=b=c", "a=b%3Dc"),
            ("a=%zz&&", "a=%25zz"),
        ] {
            check(wrap, raw, expected);
        }
    }
}
