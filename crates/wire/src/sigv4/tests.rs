//! The verifier against published values, against our signer, and against bytes changed on the way.

use std::time::Duration;

use domain::Timestamp;
use http::request::Parts;
use http::{HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::{Claim, Form, Hint, Refusal, Signer, View, canonical, check_headers, check_time, key, verify};

pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z
pub(super) const NOW: Timestamp = Timestamp(1_440_938_160_000);

fn signer(service: &str) -> Signer<'_> {
    Signer {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: SECRET,
        session_token: None,
        region: "us-east-1",
        service,
    }
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut builder = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

/// Everything that a server asks of a request, in its order.
fn check(parts: &Parts, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
    let view = View::from(parts);
    let claim = Claim::of(&view)?.ok_or(Refusal::MissingToken)?;
    check_time(&claim, now)?;
    check_headers(&claim, &view)?;
    verify(&claim, &view, body, SECRET)
}

/// The values that AWS publishes for `get-vanilla` of its test suite.
#[test]
fn the_published_example_has_the_published_canonical_request_and_signature() {
    let mut parts = request("GET", "/", &[("host", "example.amazonaws.com")]);
    signer("service").sign(&mut parts, b"", NOW);
    let mut canonical = Vec::new();
    let empty = key::hex(&key::sha256(b""));
    canonical::write(&View::from(&parts), "service", "host;x-amz-date", &empty, &mut canonical).unwrap();
    assert_eq!(
        key::hex(&key::sha256(&canonical)),
        "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"
    );
    assert_eq!(
        parts.headers["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

#[test]
fn a_request_holds_for_five_minutes_either_way() {
    let mut parts = request("GET", "/x", &[("host", "h")]);
    signer("lambda").sign(&mut parts, b"", NOW);
    for (seconds, expected) in [
        (-300, None),
        (
            -301,
            Some(
                "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
            ),
        ),
        (300, None),
        (
            301,
            Some(
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)",
            ),
        ),
    ] {
        let seen = check(&parts, b"", Timestamp(NOW.0 + seconds * 1000));
        assert_eq!(seen, expected.map_or(Ok(()), |text| Err(Refusal::Skewed(text.into()))), "{seconds}");
    }
}

#[test]
fn a_pre_signed_url_holds_for_its_time() {
    let url: Uri = "http://localhost:4566/_hearth/code/a%20b?x=1".parse().unwrap();
    let signed = signer("lambda").presign(&Method::GET, &url, Duration::from_secs(600), NOW).unwrap();
    let parts = request("GET", &signed.to_string(), &[("host", "localhost:4566")]);
    assert_eq!(check(&parts, b"", Timestamp(NOW.0 + 600_000)), Ok(()));
    assert_eq!(check(&parts, b"", Timestamp(NOW.0 + 601_000)), Err(Refusal::RequestExpired));
    let elsewhere = request("GET", &signed.to_string(), &[("host", "localhost:4567")]);
    assert_eq!(check(&elsewhere, b"", NOW), Err(Refusal::Mismatch));
    let view = View::from(&parts);
    assert_eq!(Claim::of(&view).unwrap().unwrap().form, Form::Query { expires: Duration::from_secs(600) });
}

#[test]
fn what_is_wrong_with_a_claim_is_said() {
    let scope = "AKID/20150830/us-east-1/lambda/aws4_request";
    let check = |authorization: &str, date: Option<&str>, expected: &str| {
        let mut parts = request("GET", "/", &[("host", "h"), ("authorization", authorization)]);
        if let Some(date) = date {
            parts.headers.insert("x-amz-date", HeaderValue::from_str(date).unwrap());
        }
        let refusal = check(&parts, b"", NOW).unwrap_err();
        let message = refusal.message(super::Style::Query);
        assert!(message.contains(expected), "{authorization}: {message}");
    };
    let date = Some("20150830T123600Z");
    check("Bearer x", date, "Unsupported AWS 'algorithm': 'Bearer'.");
    check("AWS4-HMAC-SHA256 Credential", date, "Invalid key=value pair (missing equal-sign)");
    check(
        "AWS4-HMAC-SHA256 Credential=a/b",
        date,
        "requires 'Signature' parameter. Authorization header requires 'SignedHeaders'",
    );
    let full = |credential: &str, headers: &str| {
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature=00")
    };
    check(&full(scope, "host"), None, "requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    check(&full(scope, "host"), Some("yesterday"), "Date must be in ISO-8601 'basic format'");
    check(&full("a/b", "host"), date, "Credential must have exactly 5 slash-delimited elements");
    check(
        &full("a/b/c/d/aws3_request", "host"),
        date,
        "valid terminator: 'aws4_request', not 'aws3_request'.",
    );
    check(&full(scope, "Host"), date, "SignedHeaders must be lower-case");
    check(&full(scope, "x-amz-date"), date, "'Host' or ':authority' must be a 'SignedHeader'");
    check(&full(scope, "host"), date, "'x-amz-date' must be a 'SignedHeader'");
    check(&full(scope, "host;x-amz-date"), date, "does not match the signature you provided");
    let tomorrow = "AKID/20150831/us-east-1/lambda/aws4_request";
    check(
        &full(tomorrow, "host;x-amz-date"),
        date,
        "does not match YYYYMMDD from ISO-8601 version of date from HTTP",
    );
}

#[test]
fn a_pre_signed_url_may_not_live_longer_than_a_week() {
    let url: Uri = "http://h/".parse().unwrap();
    let signed = signer("s3").presign(&Method::GET, &url, Duration::from_secs(604_801), NOW).unwrap();
    let parts = request("GET", &signed.to_string(), &[]);
    assert!(matches!(check(&parts, b"", NOW), Err(Refusal::Incomplete(text)) if text.contains("604800")));
}

#[test]
fn the_scope_of_a_claim_that_cannot_hold_is_still_a_hint() {
    let hint = |authorization: &str| {
        let parts = request("GET", "/", &[("authorization", authorization)]);
        let view = View::from(&parts);
        Hint::of(&Claim::of(&view), &view)
            .map(|hint| format!("{} {} {}", hint.access_key_id, hint.region, hint.service))
    };
    let typed = hint("AWS4-HMAC-SHA256 Credential=test/20150830/eu-west-1/logs/aws4_request");
    assert_eq!(typed.as_deref(), Some("test eu-west-1 logs"));
    assert_eq!(hint("Bearer x"), None);
    assert_eq!(hint("AWS4-HMAC-SHA256 Credential=a/b"), None);
}

/// Otherwise a request could be routed by one scope and verified by another.
#[test]
fn a_readable_claim_is_its_own_hint() {
    let authorization = "AWS4-HMAC-SHA256 Other=Credential=a/20150830/eu-west-1/logs/aws4_request, \
                         Credential=b/20150830/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let parts = request("GET", "/", &[("authorization", authorization), ("x-amz-date", "20150830T123600Z")]);
    let view = View::from(&parts);
    let hint = Hint::of(&Claim::of(&view), &view).unwrap();
    assert_eq!((&*hint.access_key_id, &*hint.region, &*hint.service), ("b", "us-east-1", "lambda"));
}

#[test]
fn over_http2_the_authority_stands_for_the_host() {
    let mut parts = request("GET", "http://localhost:4566/x", &[]);
    signer("lambda").sign(&mut parts, b"", NOW);
    parts.headers.remove("host");
    assert_eq!(check(&parts, b"", NOW), Ok(()));
}

#[test]
fn a_header_that_was_signed_and_is_gone_is_a_mismatch() {
    let mut parts = request("GET", "/x", &[("host", "h"), ("x-thing", "1")]);
    signer("lambda").sign(&mut parts, b"", NOW);
    parts.headers.remove("x-thing");
    assert_eq!(check(&parts, b"", NOW), Err(Refusal::Mismatch));
}

fn any_request() -> impl Strategy<Value = (Parts, Vec<u8>, String, Option<String>)> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]);
    let path = "(/([a-zA-Z0-9:._~-]|%[0-9A-F]{2}){0,8}){1,4}/?";
    let query = "([a-z0-9]{1,4}=([a-zA-Z0-9._~-]|%[0-9A-F]{2}){0,6}(&[a-z0-9]{1,4}(=[a-z%]{0,2})?){0,3})?";
    let headers = prop::collection::vec(("x-[a-z]{1,6}", "[ -~]{0,12}"), 0..4);
    let service = prop::sample::select(vec!["lambda".to_owned(), "s3".to_owned(), "logs".to_owned()]);
    let token = prop::option::of("[A-Za-z0-9+/=]{1,20}");
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (method, path, query, headers, body, service, token).prop_map(
        |(method, path, query, headers, body, service, token)| {
            let target = if query.is_empty() { path } else { format!("{path}?{query}") };
            let mut parts = request(method, &target, &[("host", "localhost:4566")]);
            for (name, value) in headers {
                let name: http::HeaderName = name.parse().unwrap();
                parts.headers.append(name, HeaderValue::from_str(&value).unwrap());
            }
            (parts, body, service, token)
        },
    )
}

/// Another letter or digit in place of the one at `index`; `None` when something else stands there.
fn changed(text: &str, index: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let byte = bytes.get_mut(index)?;
    *byte = match *byte {
        b'a' => b'b',
        b'0' => b'1',
        byte if byte.is_ascii_digit() => b'0',
        byte if byte.is_ascii_lowercase() => b'a',
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

proptest! {
    #[test]
    fn any_signed_request_verifies((mut parts, body, service, token) in any_request()) {
        let signer = Signer { session_token: token.as_deref(), ..signer(&service) };
        signer.sign(&mut parts, &body, NOW);
        prop_assert_eq!(check(&parts, &body, NOW), Ok(()));
    }

    #[test]
    fn any_changed_byte_of_the_body_is_a_mismatch((mut parts, mut body, service, _) in any_request(), at: prop::sample::Index) {
        prop_assume!(!body.is_empty());
        signer(&service).sign(&mut parts, &body, NOW);
        let index = at.index(body.len());
        body[index] ^= 1;
        prop_assert_eq!(check(&parts, &body, NOW), Err(Refusal::Mismatch));
    }

    #[test]
    fn any_changed_byte_of_the_target_or_a_header_is_refused((mut parts, body, service, _) in any_request(), at: prop::sample::Index) {
        signer(&service).sign(&mut parts, &body, NOW);
        let target = parts.uri.to_string();
        // Behind a % a changed digit may spell the same byte ("%6a" is "%6A"): those are not changes.
        if let Some(target) = changed(&target, at.index(target.len())).filter(|_| !target.contains('%')) {
            let mut parts = parts.clone();
            parts.uri = target.parse().unwrap();
            prop_assert!(check(&parts, &body, NOW).is_err(), "{target}");
        }
        for name in parts.headers.keys() {
            let value = parts.headers[name].to_str().unwrap();
            if value.is_empty() {
                continue;
            }
            if let Some(value) = changed(value, at.index(value.len())) {
                let mut parts = parts.clone();
                parts.headers.insert(name, HeaderValue::from_str(&value).unwrap());
                prop_assert!(check(&parts, &body, NOW).is_err(), "{name}: {value}");
            }
        }
    }

    /// Whatever stands in the header or the query, reading it ends in an answer.
    #[test]
    fn no_claim_panics(authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}", query in "(X-Amz-Algorithm=AWS4-HMAC-SHA256&)?[!-\"$-~]{0,120}", date in "[0-9TZ]{0,16}") {
        let mut parts = request("GET", "/", &[("host", "h"), ("x-amz-date", &date)]);
        if let Ok(uri) = format!("/?{query}").parse() {
            parts.uri = uri;
        }
        prop_assert!(check(&parts, b"", NOW).is_err());
        parts.headers.insert("authorization", HeaderValue::from_str(&authorization).unwrap());
        prop_assert!(check(&parts, b"", NOW).is_err());
    }
}
