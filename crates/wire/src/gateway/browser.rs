//! Keeps web pages from driving the gateway. A page can send requests to a loopback address without its user
//! knowing; browsers mark such requests, and what is marked is refused. No CORS header is ever granted.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, ORIGIN, REFERER};
use http::{Method, Uri};

/// What a browser asks whether it may do, if it only asks.
pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if method != Method::OPTIONS {
        return None;
    }
    Method::from_bytes(headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// Whether a browser made this request for another site's page; then, what it said.
pub(super) fn foreign_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return Some("a CORS preflight".into());
    }
    for site in headers.get_all("sec-fetch-site") {
        // `none` is the user's own doing (the address bar); `same-origin` is a page that we served.
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return Some(format!("Sec-Fetch-Site: {}", shown(site.as_bytes())));
        }
    }
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    // A form's POST needs no preflight but carries `Origin`; an old browser's image or script only `Referer`.
    for (name, header) in [("Origin", ORIGIN), ("Referer", REFERER)] {
        for value in headers.get_all(header) {
            if !value.to_str().is_ok_and(|origin| is_of(origin, host)) {
                return Some(format!("{name}: {}", shown(value.as_bytes())));
            }
        }
    }
    None
}

/// Whether an origin or URL belongs to `host`, port included.
fn is_of(url: &str, host: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.is_empty() && authority.eq_ignore_ascii_case(host)
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().filter(|character| !character.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, headers: &[(&str, &str)], expected: Option<&str>) {
        let mut builder = http::Request::builder().method(method).uri("/").header(HOST, "localhost:4566");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let seen = foreign_page(&parts.method, &parts.uri, &parts.headers);
        assert_eq!(seen.as_deref(), expected, "{method} {headers:?}");
    }

    #[test]
    fn programs_and_our_own_pages_pass() {
        check("POST", &[], None);
        check("OPTIONS", &[], None);
        check("POST", &[("origin", "http://localhost:4566"), ("sec-fetch-site", "same-origin")], None);
        check("GET", &[("sec-fetch-site", "none")], None);
        check("GET", &[("referer", "http://localhost:4566/_hearth/console?x")], None);
    }

    #[test]
    fn other_pages_do_not() {
        check("POST", &[("origin", "https://evil.example")], Some("Origin: https://evil.example"));
        check("POST", &[("origin", "null")], Some("Origin: null"));
        check("POST", &[("origin", "http://localhost:3000")], Some("Origin: http://localhost:3000"));
        check(
            "POST",
            &[("origin", "http://localhost:4566.evil.example")],
            Some("Origin: http://localhost:4566.evil.example"),
        );
        check("GET", &[("sec-fetch-site", "cross-site")], Some("Sec-Fetch-Site: cross-site"));
        check("GET", &[("sec-fetch-site", "same-site")], Some("Sec-Fetch-Site: same-site"));
        check("GET", &[("sec-fetch-site", "Cross-Site")], Some("Sec-Fetch-Site: Cross-Site"));
        check("GET", &[("referer", "http://evil.example/")], Some("Referer: http://evil.example/"));
        check("OPTIONS", &[("access-control-request-method", "POST")], Some("a CORS preflight"));
        check(
            "POST",
            &[("origin", "http://localhost:4566"), ("origin", "http://evil.example")],
            Some("Origin: http://evil.example"),
        );
    }
}
