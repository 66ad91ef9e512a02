//! What web pages of other sites may do with a bucket: what its CORS rules say, and nothing else that changes or tells.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, VARY,
};
use http::{Method, Uri};
use s3s::dto::{CORSConfiguration, CORSRule};

use crate::S3;
use crate::access::Target;
use crate::configuration::{self, cors::KIND};
use crate::error::{Refusal, custom};
use crate::record::BUCKETS;

/// What an answer tells a browser.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    headers: Vec<(HeaderName, String)>,
}

impl Granted {
    /// Writes it.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// What a page may hear of the answer to a request. Without a rule for it that is nothing, and the browser keeps the answer
/// from it; S3 answers all the same. `is_guarded` says that a page of another site asks where nobody proves who asks: what
/// it would change is refused, since it may be any page that the user happens to look at.
pub(crate) fn ask(
    s3: &S3,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    is_guarded: bool,
) -> Result<Option<Granted>, Refusal> {
    let origin = header(headers, &ORIGIN);
    if origin.is_none() && !is_guarded {
        return Ok(None);
    }
    let target = Target::of(uri);
    let rules = rules(s3, &target)?.map(|(_, rules)| rules);
    let rule = origin.and_then(|origin| find(rules.as_deref()?, origin, method.as_str(), &[]));
    match (rule, origin) {
        (Some(rule), Some(origin)) => Ok(Some(granted(rule, origin, None))),
        _ if is_guarded && !is_reading(method) => Err(forbidden(rules.is_some(), method.as_str(), &target)),
        _ => Ok(None),
    }
}

/// Answers a browser that asks beforehand.
pub(crate) fn preflight(s3: &S3, uri: &Uri, headers: &HeaderMap) -> Result<Granted, Refusal> {
    let bad = |message: &'static str| custom("BadRequest", http::StatusCode::BAD_REQUEST, message);
    let target = Target::of(uri);
    let configured = rules(s3, &target)?;
    if matches!(configured, Some((false, _))) {
        return Err(custom("AccessForbidden", http::StatusCode::FORBIDDEN, "CORSResponse: Bucket not found"));
    }
    let Some(origin) = header(headers, &ORIGIN) else {
        return Err(bad("Insufficient information. Origin request header needed."));
    };
    let Some(method) = header(headers, &ACCESS_CONTROL_REQUEST_METHOD) else {
        return Err(bad("Invalid Access-Control-Request-Method: null"));
    };
    let Some((_, rules)) = configured else {
        return Err(forbidden(false, method, &target));
    };
    let asked: Vec<String> = header(headers, &ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    match find(&rules, origin, method, &asked) {
        Some(rule) => Ok(granted(rule, origin, Some(&asked))),
        None => Err(forbidden(true, method, &target)),
    }
}

/// Whether the bucket is there, and its rules; nothing for one that has none.
fn rules(s3: &S3, target: &Target) -> Result<Option<(bool, Vec<CORSRule>)>, Refusal> {
    let Some(bucket) = target.bucket.as_deref() else { return Ok(None) };
    s3.read(|snapshot| {
        if snapshot.get(&BUCKETS, bucket)?.is_none() {
            return Ok(Some((false, Vec::new())));
        }
        let configured = configuration::read::<CORSConfiguration>(snapshot, bucket, KIND)?;
        Ok(configured.map(|configured| (true, configured.cors_rules)))
    })
}

/// The first rule that fits.
fn find<'r>(rules: &'r [CORSRule], origin: &str, method: &str, asked: &[String]) -> Option<&'r CORSRule> {
    rules.iter().find(|rule| {
        let allowed = rule.allowed_headers.as_deref().unwrap_or_default();
        let is_allowed =
            |name: &String| allowed.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), name));
        rule.allowed_origins.iter().any(|pattern| matches(pattern, origin))
            && rule.allowed_methods.iter().any(|allowed| allowed == method)
            && asked.iter().all(is_allowed)
    })
}

/// At most one `*`, which is any characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}

fn granted(rule: &CORSRule, origin: &str, asked: Option<&[String]>) -> Granted {
    let everybody = rule.allowed_origins.iter().any(|pattern| pattern == "*");
    let origin = if everybody { "*" } else { origin };
    let mut headers = vec![
        (ACCESS_CONTROL_ALLOW_ORIGIN, origin.to_owned()),
        (ACCESS_CONTROL_ALLOW_METHODS, rule.allowed_methods.join(", ")),
        (VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()),
    ];
    if !everybody {
        headers.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned()));
    }
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        headers.push((ACCESS_CONTROL_ALLOW_HEADERS, asked.join(", ")));
    }
    if let Some(exposed) = rule.expose_headers.as_deref().filter(|exposed| !exposed.is_empty()) {
        headers.push((ACCESS_CONTROL_EXPOSE_HEADERS, exposed.join(", ")));
    }
    if let Some(seconds) = rule.max_age_seconds.filter(|seconds| *seconds > 0) {
        headers.push((ACCESS_CONTROL_MAX_AGE, seconds.to_string()));
    }
    Granted { headers }
}

fn forbidden(is_configured: bool, method: &str, target: &Target) -> Refusal {
    let message = if is_configured {
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method \
         / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS \
         spec."
    } else {
        "CORSResponse: CORS is not enabled for this bucket."
    };
    custom("AccessForbidden", http::StatusCode::FORBIDDEN, message)
        .with("Method", method)
        .with("ResourceType", if target.key.is_some() { "OBJECT" } else { "BUCKET" })
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        CORSRule {
            allowed_headers: Some(owned(headers)),
            allowed_methods: owned(methods),
            allowed_origins: owned(origins),
            expose_headers: Some(owned(&["ETag"])),
            id: None,
            max_age_seconds: Some(5),
        }
    }

    #[test]
    fn the_first_rule_with_origin_method_and_headers_fits() {
        let rules = [
            rule(&["https://a.test"], &["GET"], &[]),
            rule(&["https://*.b.test", "http://c.test"], &["PUT"], &["x-amz-*", "Content-Type"]),
        ];
        let check = |origin: &str, method: &str, asked: &[&str], expected: Option<usize>| {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            let found = find(&rules, origin, method, &asked)
                .map(|rule| rules.iter().position(|one| one == rule).unwrap());
            assert_eq!(found, expected, "{origin} {method} {asked:?}");
        };
        check("https://a.test", "GET", &[], Some(0));
        check("https://a.test", "PUT", &[], None);
        check("https://a.test", "GET", &["x-amz-date"], None);
        check("https://x.b.test", "PUT", &["x-amz-date", "content-type"], Some(1));
        check("https://b.test", "PUT", &[], None);
        check("http://c.test", "PUT", &["authorization"], None);
    }

    #[test]
    fn a_page_hears_its_own_origin_or_a_star() {
        let mut headers = HeaderMap::new();
        granted(&rule(&["https://*.test"], &["GET", "PUT"], &[]), "https://a.test", None).apply(&mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.test");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET, PUT");
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "5");
        let mut headers = HeaderMap::new();
        granted(&rule(&["*"], &["GET"], &[]), "https://a.test", Some(&["x-a".into()])).apply(&mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "x-a");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}
