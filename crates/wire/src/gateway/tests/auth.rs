//! Requests that must prove who they are.

use std::time::Duration;

use domain::{Account, Clock as _, Principal, SystemClock, Timestamp};

use super::tiny::{Front, Tiny, builder, gist};
use crate::gateway::{Authenticator, Identity, LookupError, Mode};
use crate::sigv4::Signer;

pub(super) struct Keys;

impl Authenticator for Keys {
    fn mode(&self) -> Mode {
        Mode::Required
    }

    fn lookup(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Identity, LookupError> {
        match (access_key_id, session_token) {
            ("AKIDEXAMPLE", None) | ("ASIDEXAMPLE", Some("good")) => Ok(Identity {
                secret_access_key: "secret".into(),
                principal: Principal::Root(Account::parse("111122223333").unwrap()),
            }),
            ("ASIDEXAMPLE", Some("old")) => Err(LookupError::Expired),
            _ => Err(LookupError::Unknown),
        }
    }
}

const SIGNER: Signer<'_> = Signer {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "secret",
    session_token: None,
    region: "us-east-1",
    service: "tiny",
};

/// Signs one request and sends it with another body.
async fn check(
    signer: Signer<'_>,
    line: &str,
    signed_body: &str,
    body: &str,
    now: Timestamp,
    expected: &str,
) {
    let front = Front::new(builder(&Tiny::default()).authenticator(Keys)).await;
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = http::Request::builder().method(method).uri(target).header("host", "localhost");
    if signer.service == "forms" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    signer.sign(&mut parts, signed_body.as_bytes(), now);
    let headers: String = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
        .collect();
    let answer = front.ask(line, &headers, body).await;
    assert!(
        format!("{} {answer}", gist(&answer)).contains(expected) && gist(&answer)[..3] == expected[..3],
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_signed_right_is_let_in_as_its_account() {
    let now = SystemClock.now();
    check(SIGNER, "POST /tiny/echo", "hi", "hi", now, "200 hi").await;
    let session = Signer { access_key_id: "ASIDEXAMPLE", session_token: Some("good"), ..SIGNER };
    check(session, "POST /tiny/echo", "hi", "hi", now, "200 hi").await;
    let forms = Signer { service: "forms", ..SIGNER };
    let form = "Action=Who&Version=2020-01-01";
    check(forms, "POST /", form, form, now, "200 ").await;
}

#[tokio::test]
async fn what_is_not_is_refused_in_the_words_of_its_service() {
    let now = SystemClock.now();
    let echo = "POST /tiny/echo";
    check(SIGNER, echo, "hi", "ho", now, "403 {").await;
    for (signer, now, code) in [
        (Signer { secret_access_key: "wrong", ..SIGNER }, now, "InvalidSignatureException"),
        (SIGNER, Timestamp(now.0 - 400_000), "InvalidSignatureException"),
        (Signer { access_key_id: "nobody", ..SIGNER }, now, "UnrecognizedClientException"),
        (
            Signer { access_key_id: "ASIDEXAMPLE", session_token: Some("old"), ..SIGNER },
            now,
            "ExpiredTokenException",
        ),
    ] {
        let front = Front::new(builder(&Tiny::default()).authenticator(Keys)).await;
        let (mut parts, ()) = http::Request::builder()
            .method("POST")
            .uri("/tiny/echo")
            .header("host", "localhost")
            .body(())
            .unwrap()
            .into_parts();
        signer.sign(&mut parts, b"hi", now);
        let headers: String = parts
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
            .collect();
        let answer = front.ask(echo, &headers, "hi").await;
        assert!(gist(&answer).starts_with("403") && answer.contains(code), "{code}: {answer}");
    }
    let forms = Signer { service: "forms", ..SIGNER };
    let form = "Action=Who&Version=2020-01-01";
    check(forms, "POST /", form, "Action=Who&Version=2020-01-02", now, "403 <").await;
}

#[tokio::test]
async fn a_pre_signed_url_is_let_in_until_it_expires() {
    let front = Front::new(builder(&Tiny::default()).authenticator(Keys)).await;
    let now = SystemClock.now();
    let url = "http://localhost/tiny/who".parse().unwrap();
    let minute = Duration::from_secs(60);
    for (signed_at, expected) in [(now, "200"), (Timestamp(now.0 - 120_000), "400")] {
        let signed = SIGNER.presign(&http::Method::GET, &url, minute, signed_at).unwrap();
        let line = format!("GET {}", signed.path_and_query().unwrap());
        let answer = front.ask(&line, "", "").await;
        assert!(gist(&answer).starts_with(expected), "{answer}");
        assert_eq!(answer.contains("RequestExpired"), expected == "400", "{answer}");
    }
}

/// Lets everybody in, and knows the sessions that it issued.
struct Sessions;

impl Authenticator for Sessions {
    fn mode(&self) -> Mode {
        Mode::Open
    }

    fn lookup(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Identity, LookupError> {
        Keys.lookup(access_key_id, session_token)
    }
}

#[tokio::test]
async fn an_open_gateway_knows_the_sessions_it_issued_and_refuses_expired_ones() {
    let front = Front::new(builder(&Tiny::default()).authenticator(Sessions)).await;
    for (token, expected) in
        [("good", "111122223333"), ("other", "000000000000"), ("old", "ExpiredTokenException")]
    {
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=ASIDEXAMPLE/20260101/us-east-1/tiny/aws4_request, \
             SignedHeaders=host, Signature=any\r\nX-Amz-Date: 20260101T000000Z\r\nX-Amz-Security-Token: {token}\r\n"
        );
        let answer = front.ask("GET /tiny/who", &headers, "").await;
        assert!(answer.contains(expected), "{token}: {answer}");
    }
}

#[tokio::test]
async fn unsigned_requests_lack_a_token() {
    let front = Front::new(builder(&Tiny::default()).authenticator(Keys)).await;
    let answer = front.ask("POST /tiny/echo", "", "hi").await;
    assert!(gist(&answer).starts_with("403"), "{answer}");
    assert!(
        answer.contains("MissingAuthenticationTokenException")
            && answer.contains("Missing Authentication Token"),
        "{answer}"
    );
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = front.ask("POST /", form, "Action=Who&Version=2020-01-01").await;
    assert!(answer.contains("<Code>MissingAuthenticationToken</Code>"), "{answer}");
}
