//! Which web pages may read what a URL answers. The platform answers a browser's question itself; the function is not
//! asked.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, VARY,
};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use wire::{Error, Response};

use crate::error::invalid_parameter;
use crate::shapes;

/// What stands for anything.
const ANY: &str = "*";
/// Methods that can be allowed. `OPTIONS` is the platform's own.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html>
const METHODS: [&str; 7] = ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", ANY];

/// `Cors` as it was given: what was not said stays unsaid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Whether pages may send cookies and other credentials.
    pub credentials: Option<bool>,
    /// Headers that pages may send.
    pub headers: Option<Vec<String>>,
    /// Methods that pages may use.
    pub methods: Option<Vec<String>>,
    /// Pages that may call.
    pub origins: Option<Vec<String>>,
    /// Headers of the answer that pages may read.
    pub exposed: Option<Vec<String>>,
    /// For how many seconds a browser may remember the answer to its question.
    pub max_age_seconds: Option<i32>,
}

impl Cors {
    /// Checks what the model cannot.
    pub fn parse(input: shapes::Cors) -> Result<Self, Error> {
        let unknown = input.allow_methods.iter().flatten().find(|method| !METHODS.contains(&method.as_str()));
        if let Some(method) = unknown {
            return Err(invalid_parameter(format!(
                "The CORS method '{method}' is not valid. Use GET, PUT, HEAD, POST, PATCH, DELETE or *."
            )));
        }
        if let Some(origin) = input.allow_origins.iter().flatten().find(|origin| !is_origin(origin)) {
            return Err(invalid_parameter(format!(
                "The CORS origin '{origin}' is not valid. Use a scheme and a host such as https://www.example.com, \
                 or *."
            )));
        }
        let names = || [&input.allow_headers, &input.expose_headers].into_iter().flatten().flatten();
        if let Some(name) = names().find(|name| *name != ANY && HeaderName::try_from(name.as_str()).is_err())
        {
            return Err(invalid_parameter(format!("The CORS header '{name}' is not the name of a header.")));
        }
        Ok(Self {
            credentials: input.allow_credentials,
            headers: input.allow_headers,
            methods: input.allow_methods,
            origins: input.allow_origins,
            exposed: input.expose_headers,
            max_age_seconds: input.max_age,
        })
    }

    /// As the API shows it.
    pub fn view(&self) -> shapes::Cors {
        shapes::Cors {
            allow_credentials: self.credentials,
            allow_headers: self.headers.clone(),
            allow_methods: self.methods.clone(),
            allow_origins: self.origins.clone(),
            expose_headers: self.exposed.clone(),
            max_age: self.max_age_seconds,
        }
    }

    /// The answer to a browser that asks before it sends a page's request; none for any other request.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
            return None;
        }
        let wanted_method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.to_str().unwrap_or_default();
        let wanted_headers = (headers.get(ACCESS_CONTROL_REQUEST_HEADERS))
            .and_then(|names| names.to_str().ok())
            .unwrap_or_default();
        let mut granted = HeaderMap::new();
        if let Some(origin) = self.origin(headers) {
            granted.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            self.grant_credentials(&mut granted);
            if let Some(methods) = self.list(self.methods.as_deref(), wanted_method) {
                granted.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            if let Some(names) = self.list(self.headers.as_deref(), wanted_headers) {
                granted.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            if let Some(seconds) = self.max_age_seconds {
                granted.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
            }
        }
        granted.insert(VARY, vary());
        Some(Response {
            status: StatusCode::OK,
            headers: granted,
            body: wire::Body::Bytes(bytes::Bytes::new()),
        })
    }

    /// Adds to an answer what lets the page that asked for it read it. What the function said itself stays, too.
    pub fn grant(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = self.origin(request) else { return };
        answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        self.grant_credentials(answer);
        if let Some(names) = self.list(self.exposed.as_deref(), ANY) {
            answer.append(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
        answer.append(VARY, HeaderValue::from_static("Origin"));
    }

    /// What `Access-Control-Allow-Origin` says to the page that asks, if it may call.
    fn origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let asking = request.get(ORIGIN)?;
        let origins = self.origins.as_deref().unwrap_or_default();
        if origins.iter().any(|origin| origin == ANY) {
            // Browsers send no credentials to a server that lets in just anyone: it must name the page.
            return Some(if self.credentials == Some(true) { asking.clone() } else { any() });
        }
        let listed = |origin: &String| asking.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        origins.iter().any(listed).then(|| asking.clone())
    }

    fn grant_credentials(&self, answer: &mut HeaderMap) {
        if self.credentials == Some(true) {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// A list for a browser. With credentials `*` is just a name to it, so what it asked for is repeated.
    fn list(&self, names: Option<&[String]>, wanted: &str) -> Option<HeaderValue> {
        let names = names.filter(|names| !names.is_empty())?;
        if names.iter().any(|name| name == ANY) {
            let repeat = self.credentials == Some(true) && !wanted.is_empty();
            return HeaderValue::from_str(if repeat { wanted } else { ANY }).ok();
        }
        HeaderValue::from_str(&names.join(",")).ok()
    }
}

fn any() -> HeaderValue {
    HeaderValue::from_static(ANY)
}

fn vary() -> HeaderValue {
    HeaderValue::from_static("Origin,Access-Control-Request-Method,Access-Control-Request-Headers")
}

/// `*`, or a scheme and a host without a path.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return text == ANY };
    let scheme_is_plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host_is_plain = host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#,".contains(&byte));
    !scheme.is_empty() && scheme_is_plain && !host.is_empty() && host_is_plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], credentials: bool) -> Cors {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        Cors::parse(shapes::Cors {
            allow_credentials: Some(credentials),
            allow_headers: list(&["*"]),
            allow_methods: list(&["GET", "POST"]),
            allow_origins: list(origins),
            expose_headers: list(&["x-total"]),
            max_age: Some(60),
        })
        .unwrap()
    }

    fn page(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a,x-b"));
        headers
    }

    fn shown(headers: &HeaderMap) -> String {
        let mut lines: Vec<String> = (headers.iter())
            .filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix("access-control-")?;
                Some(format!("{name}: {}", value.to_str().unwrap()))
            })
            .collect();
        lines.sort();
        lines.join("; ")
    }

    #[test]
    fn a_listed_page_is_granted_what_is_listed() {
        let cors = cors(&["https://a.example"], false);
        let answer = cors.preflight(&Method::OPTIONS, &page("https://a.example")).unwrap();
        assert_eq!(
            shown(&answer.headers),
            "allow-headers: *; allow-methods: GET,POST; allow-origin: https://a.example; max-age: 60"
        );
        let mut answer = HeaderMap::new();
        cors.grant(&page("https://a.example"), &mut answer);
        assert_eq!(shown(&answer), "allow-origin: https://a.example; expose-headers: x-total");
    }

    #[test]
    fn another_page_is_granted_nothing_and_still_answered() {
        let cors = cors(&["https://a.example"], true);
        for origin in ["https://b.example", "https://a.example.b", "null"] {
            let answer = cors.preflight(&Method::OPTIONS, &page(origin)).unwrap();
            assert_eq!((answer.status, shown(&answer.headers)), (StatusCode::OK, String::new()));
            let mut answer = HeaderMap::new();
            cors.grant(&page(origin), &mut answer);
            assert!(answer.is_empty());
        }
    }

    #[test]
    fn with_credentials_nothing_is_granted_by_a_star() {
        let answer = cors(&["*"], true).preflight(&Method::OPTIONS, &page("https://a.example")).unwrap();
        assert_eq!(
            shown(&answer.headers),
            "allow-credentials: true; allow-headers: x-a,x-b; allow-methods: GET,POST; \
             allow-origin: https://a.example; max-age: 60"
        );
        let answer = cors(&["*"], false).preflight(&Method::OPTIONS, &page("https://a.example")).unwrap();
        assert!(shown(&answer.headers).contains("allow-origin: *"));
    }

    #[test]
    fn only_a_browsers_question_is_a_preflight() {
        let cors = cors(&["*"], false);
        assert!(cors.preflight(&Method::GET, &page("https://a.example")).is_none());
        assert!(cors.preflight(&Method::OPTIONS, &HeaderMap::new()).is_none());
    }

    #[test]
    fn what_no_browser_would_understand_is_refused() {
        let refused = |input: shapes::Cors| Cors::parse(input).is_err();
        let one = |text: &str| Some(vec![text.to_owned()]);
        for origin in ["example.com", "https://", "https://a.example/", "http s://a", "", "https://a,b"] {
            assert!(refused(shapes::Cors { allow_origins: one(origin), ..Default::default() }), "{origin}");
        }
        assert!(refused(shapes::Cors { allow_methods: one("get"), ..Default::default() }));
        assert!(refused(shapes::Cors { allow_headers: one("a b"), ..Default::default() }));
        assert!(refused(shapes::Cors { expose_headers: one(""), ..Default::default() }));
        for origin in ["*", "http://localhost:3000", "chrome-extension://abc", "https://*.example.com"] {
            assert!(!refused(shapes::Cors { allow_origins: one(origin), ..Default::default() }), "{origin}");
        }
    }
}
