//! A part of the address space that is a site of its own.

use domain::{Clock as _, SystemClock};
use http::StatusCode;

use super::tiny::{Front, Tiny, builder, gist};
use crate::gateway::{Builder, Signer, Visit};
use crate::{Body, Response, sigv4};

/// Answers with what it was told.
async fn tell(visit: Visit) -> Response {
    let (parts, body) = visit.request.into_parts();
    let signer = match visit.signer {
        Signer::None => "nobody".to_owned(),
        Signer::Known(by) => by.access_key_id,
        Signer::Refused { status, code, .. } => format!("{status} {code}"),
    };
    let text = format!("{} {} {:?} {signer} {}", parts.method, parts.uri, visit.host_label, body.len());
    Response { status: StatusCode::OK, headers: http::HeaderMap::new(), body: Body::Bytes(text.into()) }
}

fn with_site() -> Builder {
    let claims = |label: Option<&str>, path: &str| label == Some("a.site") || path.starts_with("/sites/");
    builder(&Tiny::default()).site("site", "tiny", 8, claims, tell)
}

#[tokio::test]
async fn a_site_has_its_hosts_and_paths_and_nothing_else() {
    let front = Front::new(with_site()).await;
    for (line, host, expected) in [
        ("GET /tiny/who", "a.site.localhost", r#"200 GET /tiny/who Some("a.site") nobody 0"#),
        ("PUT /x?y=1", "a.site.hearth.example:4566", r#"200 PUT /x?y=1 Some("a.site") nobody 0"#),
        ("DELETE /sites/x", "localhost", "200 DELETE /sites/x None nobody 0"),
    ] {
        assert_eq!(gist(&front.ask(line, &format!("Host: {host}\r\n"), "").await), expected);
    }
    let other = front.ask("GET /tiny/who", "Host: b.site.localhost\r\n", "").await;
    assert!(gist(&other).starts_with("403") && other.contains("b.site.localhost"), "{other}");
}

#[tokio::test]
async fn pages_reach_a_site_and_no_service() {
    let front = Front::new(with_site()).await;
    let page = "Origin: https://page.example\r\nSec-Fetch-Site: cross-site\r\n";
    assert!(gist(&front.ask("GET /sites/x", page, "").await).starts_with("200"));
    assert!(gist(&front.ask("GET /tiny/who", page, "").await).starts_with("403"));
    // Nor from the site's own pages.
    let page = "Origin: http://a.site.localhost\r\n";
    assert!(gist(&front.ask("GET /tiny/who", page, "").await).starts_with("403"));
}

#[tokio::test]
async fn a_sites_bodies_are_bounded_and_its_signatures_are_for_its_service() {
    let front = Front::new(with_site()).await;
    assert!(gist(&front.ask("POST /sites/x", "", "12345678").await).ends_with("nobody 8"));
    assert!(gist(&front.ask("POST /sites/x", "", "123456789").await).starts_with("413"));
    for (service, expected) in [("tiny", "AKID"), ("s3", "403 InvalidSignatureException")] {
        let signer = sigv4::Signer {
            access_key_id: "AKID",
            secret_access_key: "secret",
            session_token: None,
            region: "us-east-1",
            service,
        };
        let request = http::Request::get("/sites/x").header("host", "localhost");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        signer.sign(&mut parts, b"", SystemClock.now());
        let headers: String = (parts.headers.iter())
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
            .collect();
        let answer = front.ask("GET /sites/x", &headers, "").await;
        assert!(answer.ends_with(&format!("{expected} 0")), "{answer}");
    }
    let bearer = front.ask("GET /sites/x", "Authorization: Bearer x\r\n", "").await;
    assert!(bearer.ends_with("403 IncompleteSignatureException 0"), "{bearer}");
}
