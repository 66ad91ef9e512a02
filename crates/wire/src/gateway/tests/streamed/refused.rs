//! What is refused before the handler sees it, in S3's words.

use std::time::Duration;

use domain::{Clock as _, SystemClock, Timestamp};

use crate::gateway::tests::streamed::{SIGNER, lines, locked, open, sha256, signed, signed_at};
use crate::gateway::tests::tiny::{Front, gist};
use crate::sigv4::Signer;

const SCOPE: &str = "AKIDEXAMPLE/20260101/eu-west-1/s3/aws4_request";

fn check(answer: &str, expected: &str, elements: &[&str]) {
    let (status, code) = expected.split_once(' ').unwrap();
    assert!(gist(answer).starts_with(status), "{expected}: {answer}");
    assert!(answer.contains(&format!("<Error><Code>{code}</Code><Message>")), "{expected}: {answer}");
    for element in elements {
        assert!(answer.contains(element), "{element}: {answer}");
    }
    let id = answer.to_ascii_lowercase();
    let id =
        id.lines().find_map(|line| line.strip_prefix("x-amz-request-id: ")).unwrap().to_ascii_uppercase();
    assert!(answer.contains(&format!("<RequestId>{id}</RequestId><HostId>")), "{answer}");
}

#[tokio::test]
async fn keys_and_signatures_that_do_not_hold() {
    let front = locked().await;
    for (signer, expected, elements) in [
        (
            Signer { secret_access_key: "wrong", ..SIGNER },
            "403 SignatureDoesNotMatch",
            &[
                "<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>",
                "<StringToSign>AWS4-HMAC-SHA256\n",
                "<CanonicalRequest>PUT\n/b/k\n\nhost:localhost\n",
                "<Resource>/b/k</Resource>",
            ] as &[&str],
        ),
        (
            Signer { access_key_id: "nobody", ..SIGNER },
            "403 InvalidAccessKeyId",
            &["<AWSAccessKeyId>nobody</AWSAccessKeyId>", "does not exist in our records."],
        ),
        (
            Signer { access_key_id: "ASIDEXAMPLE", session_token: Some("old"), ..SIGNER },
            "400 ExpiredToken",
            &["The provided token has expired."],
        ),
        (
            Signer { access_key_id: "ASIDEXAMPLE", session_token: Some("forged"), ..SIGNER },
            "400 InvalidToken",
            &["<Token-0>forged</Token-0>"],
        ),
        (
            Signer { region: "No_Region", ..SIGNER },
            "400 AuthorizationHeaderMalformed",
            &["'No_Region' is wrong"],
        ),
    ] {
        let parts = signed(signer, "PUT /b/k", &[], &sha256(b"hi"));
        check(&front.send("PUT /b/k", &lines(&parts), b"hi").await, expected, elements);
    }
    let mut parts = signed(SIGNER, "PUT /b/k", &[], &sha256(b"hi"));
    parts.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    let answer = front.send("PUT /b/k", &lines(&parts), b"hi").await;
    check(&answer, "403 AccessDenied", &["<HeadersNotSigned>x-amz-acl</HeadersNotSigned>"]);
    let parts = signed(SIGNER, "PUT /b/k", &[], &sha256(b"hi"));
    let answer = front.send("PUT /b/other", &lines(&parts), b"hi").await;
    check(&answer, "403 SignatureDoesNotMatch", &["<CanonicalRequest>PUT\n/b/other\n"]);
}

#[tokio::test]
async fn clocks_may_be_a_quarter_of_an_hour_apart() {
    let front = locked().await;
    let now = SystemClock.now();
    let at = |seconds: i64| Timestamp(now.0 + seconds * 1000);
    for seconds in [-880, 880] {
        let parts = signed_at(at(seconds), SIGNER, "GET /b/k", &[], "UNSIGNED-PAYLOAD");
        assert!(gist(&front.ask("GET /b/k", &lines(&parts), "").await).starts_with("200"), "{seconds}");
    }
    for seconds in [-920, 920] {
        let parts = signed_at(at(seconds), SIGNER, "GET /b/k", &[], "UNSIGNED-PAYLOAD");
        let answer = front.ask("GET /b/k", &lines(&parts), "").await;
        let sent = parts.headers["x-amz-date"].to_str().unwrap();
        check(
            &answer,
            "403 RequestTimeTooSkewed",
            &[
                &format!("<RequestTime>{sent}</RequestTime><ServerTime>20"),
                "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
            ],
        );
    }
}

#[tokio::test]
async fn urls_that_have_expired_or_are_not_valid_yet_or_cannot_be_read() {
    let front = locked().await;
    let now = SystemClock.now();
    let url = |signed_at: i64, expires: u64| {
        let url = "http://localhost/b/k".parse().unwrap();
        let (at, expires) = (Timestamp(now.0 + signed_at * 1000), Duration::from_secs(expires));
        let url = SIGNER.presign(&http::Method::GET, &url, expires, at).unwrap();
        format!("GET {}", url.path_and_query().unwrap())
    };
    assert!(gist(&front.ask(&url(-600_000, 604_800), "", "").await).starts_with("200"));
    let answer = front.ask(&url(-120, 60), "", "").await;
    check(
        &answer,
        "403 AccessDenied",
        &[
            "<Message>Request has expired</Message><Expires>20",
            "Z</ServerTime><X-Amz-Expires>60</X-Amz-Expires>",
        ],
    );
    check(&front.ask(&url(2000, 60), "", "").await, "403 AccessDenied", &["Request is not valid yet"]);
    let good = url(0, 60);
    let query = "400 AuthorizationQueryParametersError";
    for (from, to, expected) in [
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", "X-Amz-Expires must be less than a week"),
        ("X-Amz-Expires=60", "X-Amz-Expires=soon", "X-Amz-Expires should be a number"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "X-Amz-Expires must be non-negative"),
        ("X-Amz-Expires=60", "x=y", "Query-string authentication version 4 requires the X-Amz-Algorithm"),
        ("X-Amz-Signature", "x", "Query-string authentication version 4 requires the X-Amz-Algorithm"),
        ("=AWS4-HMAC-SHA256", "=AWS3", "X-Amz-Algorithm only supports"),
        ("%2Faws4_request", "", "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed"),
        ("%2Faws4_request", "%2Faws5", "Error parsing the X-Amz-Credential parameter; incorrect terminal"),
        ("X-Amz-Date=2", "X-Amz-Date=x", "X-Amz-Date must be in the ISO8601 Long Format"),
    ] {
        check(&front.ask(&good.replace(from, to), "", "").await, query, &[expected]);
    }
    let answer = front.ask(&good.replace("/b/k", "/b/l"), "", "").await;
    check(&answer, "403 SignatureDoesNotMatch", &["<SignatureProvided>"]);
    let answer = front.ask(&good, "x-amz-acl: public-read\r\n", "").await;
    check(&answer, "403 AccessDenied", &["<HeadersNotSigned>x-amz-acl</HeadersNotSigned>"]);
    let answer = front.ask(&good, "Authorization: AWS4-HMAC-SHA256 x\r\n", "").await;
    check(&answer, "400 InvalidArgument", &["Only one auth mechanism allowed"]);
}

#[tokio::test]
async fn headers_that_cannot_be_read() {
    let front = locked().await;
    let date = "x-amz-date: 20260101T000000Z\r\n";
    let header = "400 AuthorizationHeaderMalformed";
    let full = format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0");
    let of = |name: &str, value: &str| full.replace(name, value);
    for (authorization, date, expected, element) in [
        (
            of(", Signature=0", ""),
            date,
            header,
            "requires three components: Credential, SignedHeaders, and Signature.",
        ),
        (of("/eu-west-1/s3", ""), date, header, "the Credential is mal-formed; expecting"),
        (of("aws4_request", "aws5"), date, header, "incorrect terminal."),
        (full.clone(), "", "403 AccessDenied", "requires a valid Date or x-amz-date header"),
        (
            of("20260101", "20260102"),
            date,
            header,
            "Invalid credential date &quot;20260102&quot;. This date is not the same",
        ),
        ("Bearer secret".into(), date, "400 InvalidArgument", "<ArgumentValue>Bearer</ArgumentValue>"),
        (
            "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/aws4_request".into(),
            date,
            "501 NotImplemented",
            "Hearth does not verify Signature Version 4A",
        ),
    ] {
        let headers =
            format!("Authorization: {authorization}\r\n{date}x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n");
        let answer = front.ask("GET /b/k", &headers, "").await;
        check(&answer, expected, &[element]);
        assert!(!answer.contains("secret"), "{answer}");
    }
}

#[tokio::test]
async fn payloads_that_are_declared_wrong() {
    let front = locked().await;
    for (declared, expected, element) in [
        (
            "GIBBERISH",
            "400 InvalidArgument",
            "<ArgumentName>x-amz-content-sha256</ArgumentName><ArgumentValue>GIBBERISH</ArgumentValue>",
        ),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "501 NotImplemented", "Signature Version 4A"),
        (
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "411 MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        ),
        (
            &sha256(b"x"),
            "400 XAmzContentSHA256Mismatch",
            "<S3ComputedContentSHA256>e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855<",
        ),
    ] {
        let parts = signed(SIGNER, "PUT /b/k", &[], declared);
        check(&front.ask("PUT /b/k", &lines(&parts), "").await, expected, &[element]);
    }
    let mut parts = signed(SIGNER, "PUT /b/k", &[], "UNSIGNED-PAYLOAD");
    parts.headers.remove("x-amz-content-sha256");
    let answer = front.ask("PUT /b/k", &lines(&parts), "").await;
    check(&answer, "400 InvalidRequest", &["Missing required header for this request: x-amz-content-sha256"]);
}

#[tokio::test]
async fn services_that_are_not_s3_are_refused_by_their_name() {
    let front = Front::new(open()).await;
    for name in ["s3express", "s3-outposts"] {
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{name}/aws4_request\r\n"
        );
        let answer = front.ask("GET /b/k", &headers, "").await;
        check(&answer, "501 NotImplemented", &[&format!("Hearth does not have the service '{name}' yet.")]);
    }
    let headers = "Host: evil.example\r\nAuthorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request\r\n";
    check(
        &front.ask("GET /b/k", headers, "").await,
        "403 AccessDenied",
        &["does not answer to the host name"],
    );
}

/// While any key is accepted, nothing is checked but what the body itself shows.
#[tokio::test]
async fn an_open_gateway_refuses_only_what_it_cannot_read() {
    let front = Front::new(open()).await;
    let forged = Signer { secret_access_key: "wrong", access_key_id: "123456789012", ..SIGNER };
    let old = Timestamp(SystemClock.now().0 - 86_400_000);
    let parts = signed_at(old, forged, "GET /b/k", &[], "UNSIGNED-PAYLOAD");
    let answer = front.ask("GET /b/k", &lines(&parts), "").await;
    assert!(gist(&answer).ends_with("by 123456789012 of 123456789012 in eu-west-1"), "{answer}");
    let typed = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request\r\n";
    assert!(gist(&front.ask("GET /b/k", typed, "").await).contains("by test of 000000000000"));
    check(&front.ask("GET /b/k", "Authorization: Bearer x\r\n", "").await, "400 InvalidArgument", &[]);
}

/// As boto3 and `aws s3 presign` sign unless they are told otherwise.
#[tokio::test]
async fn version_2_is_proven_as_well() {
    let front = locked().await;
    let now = SystemClock.now().0 / 1000;
    let signed = |text: &str| crate::sigv2::sign(text, "secret");
    let url = |text: &str, target: &str, expires: i64| {
        let signature = signed(&text.replace("EXPIRES", &expires.to_string())).replace('+', "%2B");
        format!("{target}?AWSAccessKeyId=AKIDEXAMPLE&Signature={signature}&Expires={expires}")
    };
    let text = "GET\n\n\nEXPIRES\n/b/a%20b";
    let good = url(text, "GET /b/a%20b", now + 60);
    for (line, headers) in [
        (good.clone(), String::new()),
        (url(text, "GET /a%20b", now + 60), "Host: b.localhost\r\n".into()),
        ("GET /".into(), format!("Authorization: AWS AKIDEXAMPLE:{}\r\nDate: DATE\r\n", "SIGNATURE")),
    ] {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let headers =
            headers.replace("DATE", date).replace("SIGNATURE", &signed(&format!("GET\n\n\n{date}\n/")));
        let answer = front.ask(&line, &headers, "").await;
        if line == "GET /" {
            check(
                &answer,
                "403 RequestTimeTooSkewed",
                &["<RequestTime>Sun, 06 Nov 1994 08:49:37 GMT</RequestTime>"],
            );
        } else {
            assert!(gist(&answer).contains(" by AKIDEXAMPLE of 111122223333 in us-east-1"), "{answer}");
        }
    }
    let expired = front.ask(&url(text, "GET /b/a%20b", now - 60), "", "").await;
    check(&expired, "403 AccessDenied", &["<Message>Request has expired</Message><Expires>20"]);
    let forged = front.ask(&good.replace("/b/", "/c/"), "", "").await;
    check(&forged, "403 SignatureDoesNotMatch", &["<StringToSign>GET\n\n\n"]);
    let token = front.ask(&good, "x-amz-acl: public-read\r\n", "").await;
    check(&token, "403 SignatureDoesNotMatch", &["x-amz-acl:public-read\n/b/a%20b"]);
    let both = front.ask(&good, "Authorization: AWS a:b\r\n", "").await;
    check(&both, "400 InvalidArgument", &["Only one auth mechanism allowed"]);
    for (line, headers, expected, element) in [
        ("GET /b?AWSAccessKeyId=AKIDEXAMPLE", "", "403 AccessDenied", "requires the Signature, Expires and"),
        (
            "GET /b?AWSAccessKeyId=AKIDEXAMPLE&Signature=x&Expires=soon",
            "",
            "403 AccessDenied",
            "epoch): soon",
        ),
        ("GET /b", "Authorization: AWS what\r\n", "400 InvalidArgument", "Expected AwsAccessKeyId:signature"),
        ("GET /b", "Authorization: AWS AKIDEXAMPLE:x\r\n", "403 AccessDenied", "a valid Date or x-amz-date"),
        ("GET /b", "Authorization: AWS nobody:x\r\n", "403 InvalidAccessKeyId", "nobody"),
    ] {
        check(&front.ask(line, headers, "").await, expected, &[element]);
    }
}
