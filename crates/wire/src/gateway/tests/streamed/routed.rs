//! Which requests are for the streamed service, and who asks.

use crate::gateway::tests::streamed::{SIGNER, digest, lines, locked, open, sha256, signed};
use crate::gateway::tests::tiny::{Front, gist};

const SCOPE: &str = "Authorization: AWS4-HMAC-SHA256 Credential=";

#[tokio::test]
async fn what_nobody_claims_is_for_it_and_everything_else_goes_where_it_went() {
    let front = Front::new(open().route("/_hearth", |_: http::Request<bytes::Bytes>| async {
        http::Response::new(crate::gateway::full("route"))
    }))
    .await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let upload = "Content-Type: multipart/form-data; boundary=x\r\n";
    let target = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Boxes_2020.Who\r\n";
    let nobody = format!("0 {} by nobody of 000000000000 in us-east-1", digest(b""));
    let scoped = format!("{SCOPE}test/20260101/eu-west-1/s3/aws4_request\r\n");
    for (line, headers, body, expected) in [
        ("GET /bucket/key?x=y", "", "", format!("200 GET /bucket/key {nobody}")),
        ("PUT /bucket/key", "", "hi", format!("200 PUT /bucket/key 2 {}", digest(b"hi"))),
        ("POST /bucket", upload, "Action=Who&Version=2020-01-01", "200 POST /bucket 29".into()),
        ("POST /bucket?delete", form, "<Delete/>", format!("200 POST /bucket 9 {}", digest(b"<Delete/>"))),
        ("GET /", "Host: bucket.localhost\r\n", "", format!("200 GET / {nobody} at bucket")),
        (
            "GET /tiny/who",
            "Host: my.b.s3.eu-north-1.hearth.example\r\n",
            "",
            format!(
                "200 GET /tiny/who 0 {} by nobody of 000000000000 in eu-north-1 at my.b.s3.eu-north-1",
                digest(b"")
            ),
        ),
        ("GET /", &scoped, "", format!("200 GET / 0 {} by test of 000000000000 in eu-west-1", digest(b""))),
        ("GET /_hearth/x", "Host: b.s3.localhost\r\n", "", format!("200 GET /_hearth/x {nobody} at b.s3")),
        ("GET /_hearth/x", "", "", "200 route".into()),
        ("GET /_hearth/x", "Host: x.hearth.example\r\n", "", "200 route".into()),
        ("GET /tiny/who", "", "", "200 {".into()),
        ("POST /", form, "Action=Who&Version=2020-01-01", "200 <".into()),
        ("POST /", target, "{}", "200 {".into()),
        ("GET /", "", "", "404 {".into()),
        ("POST /nothing", "", "", "404 {".into()),
        ("GET /tiny/who", "Host: bucket.localhost\r\n", "", "403 {".into()),
    ] {
        let answer = front.ask(line, headers, body).await;
        assert!(gist(&answer).starts_with(&expected), "{line} {headers}: {answer}\n{expected}");
    }
}

#[tokio::test]
async fn it_hears_of_foreign_pages_and_decides_itself_but_only_for_its_own_paths() {
    let front = Front::new(open()).await;
    let preflight = "Origin: http://page.example\r\nAccess-Control-Request-Method: ";
    for (line, headers, expected) in [
        ("GET /bucket/key", "Origin: http://page.example\r\n".to_owned(), "for Origin: http://page.example"),
        ("OPTIONS /bucket/key", format!("{preflight}PUT\r\n"), "for a CORS preflight"),
    ] {
        let answer = front.ask(line, &headers, "").await;
        assert!(gist(&answer).starts_with("200") && answer.ends_with(expected), "{answer}");
    }
    for (line, headers) in [
        ("OPTIONS /tiny/echo", format!("{preflight}POST\r\n")),
        ("OPTIONS /", format!("{preflight}POST\r\n")),
        ("GET /tiny/who", "Origin: http://page.example\r\n".into()),
        ("POST /", "Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n".into()),
        ("POST /bucket?delete", "Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n".into()),
        ("GET /bucket", "Host: evil.example\r\n".into()),
    ] {
        let answer = front.ask(line, &headers, "").await;
        assert!(gist(&answer).starts_with("403"), "{line}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control"), "{answer}");
    }
}

#[tokio::test]
async fn a_signature_in_the_head_or_in_the_url_says_who_asks() {
    let front = locked().await;
    let by = "by AKIDEXAMPLE of 111122223333 in eu-west-1";
    let parts = signed(SIGNER, "PUT /b/a%20b%2Fc//../d", &[], &sha256(b"hi"));
    let answer = front.send("PUT /b/a%20b%2Fc//../d", &lines(&parts), b"hi").await;
    assert!(gist(&answer).ends_with(&format!(" 2 {} {by}", digest(b"hi"))), "{answer}");
    let parts = signed(SIGNER, "PUT /b/k", &[], "UNSIGNED-PAYLOAD");
    let answer = front.send("PUT /b/k", &lines(&parts), b"anything").await;
    assert!(gist(&answer).ends_with(&format!(" 8 {} {by}", digest(b"anything"))), "{answer}");
    let url = "http://localhost/b/k".parse().unwrap();
    let now = domain::Clock::now(&domain::SystemClock);
    let url = SIGNER.presign(&http::Method::PUT, &url, std::time::Duration::from_secs(60), now).unwrap();
    let line = format!("PUT {}", url.path_and_query().unwrap());
    let answer = front.send(&line, "", b"anything").await;
    assert!(gist(&answer).ends_with(&format!(" 8 {} {by}", digest(b"anything"))), "{answer}");
    // Nobody is somebody, too: what may be done without a signature is the service's business.
    let answer = front.ask("GET /b/k", "", "").await;
    assert!(gist(&answer).contains("by nobody"), "{answer}");
}

#[tokio::test]
async fn an_answer_carries_both_ids() {
    let answer = Front::new(open()).await.ask("GET /bucket", "", "").await.to_ascii_lowercase();
    let header = |name: &str| {
        answer
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("{name} in {answer}"))
    };
    let id = header("x-amz-request-id: ");
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert!(header("x-amz-id-2: ").len() > 40);
    // SDKs would take it for the request's id.
    assert!(!answer.contains("x-amzn-requestid"), "{answer}");
}
