//! Which service a request is for, and in which region: decided from what it says, in one order for all clients.

use std::borrow::Cow;

use domain::Region;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};

use super::answer::Dialect;
use crate::sigv4::{Refusal, parameter};
use crate::{schema, sigv2};

/// What routing knows of a service.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    /// The credential scope's name, and the first label of its host name at AWS.
    pub(super) name: &'a str,
    /// `X-Amz-Target` up to the dot; empty where the protocol has none.
    pub(super) target_prefix: &'a str,
    /// What the query protocol's `Version` says.
    pub(super) api_version: &'a str,
    /// Whether it speaks the query protocol, be it beside another.
    pub(super) query: bool,
}

impl From<&'static schema::Service> for Entry<'static> {
    fn from(model: &'static schema::Service) -> Self {
        Self {
            name: model.name,
            target_prefix: model.target_prefix,
            api_version: model.api_version,
            query: model.speaks_query(),
        }
    }
}

/// What a request says about where it wants to go.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The credential scope's service.
    pub(super) signed_for: Option<&'a str>,
    /// What stands before our name in the host.
    pub(super) host_label: Option<&'a str>,
    /// The body, once it is read.
    pub(super) form: Option<&'a str>,
    /// Whether a browser only asks whether it may send the request.
    pub(super) preflight: bool,
    /// The name of the service that reads its bodies as they come, if there is one.
    pub(super) streamed: Option<&'a str>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the service at this index.
    Service(usize),
    /// To the service that reads its bodies as they come.
    Streamed,
    /// It is a form: only its body can tell.
    AskForm,
    /// To a service that is not here, under the name that the client gave it.
    Absent(String),
    /// It names no service at all.
    Nowhere,
}

/// Decides where a request goes. `by_path` finds a service with an operation at a method and path, among those that
/// the second argument lets through.
pub(super) fn route(
    request: &Request<'_>,
    entries: &[Entry<'_>],
    by_path: impl Fn(&dyn Fn(usize) -> bool) -> Option<usize>,
) -> Route {
    let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target_prefix = target.map(|target| target.rsplit_once('.').map_or(target, |(prefix, _)| prefix));
    let with_target =
        |entry: &Entry<'_>| !entry.target_prefix.is_empty() && target_prefix == Some(entry.target_prefix);
    if let Some(name) = request.signed_for {
        if request.streamed == Some(name) {
            return Route::Streamed;
        }
        let signed = |index: usize| entries[index].name == name;
        let mut candidates = (0..entries.len()).filter(|index| signed(*index));
        let Some(first) = candidates.next() else { return Route::Absent(clipped(name)) };
        if candidates.next().is_none() {
            return Route::Service(first);
        }
        // Several APIs behind one signing name, as Lambda's own: the target or the path tells them apart.
        let exact = (0..entries.len()).find(|index| signed(*index) && with_target(&entries[*index]));
        return Route::Service(exact.or_else(|| by_path(&signed)).unwrap_or(first));
    }
    if names_streamed(request) {
        return Route::Streamed;
    }
    if let Some(prefix) = target_prefix {
        let found = entries.iter().position(with_target);
        return found.map_or_else(|| Route::Absent(clipped(prefix)), Route::Service);
    }
    match action(request) {
        Action::Named { version } => {
            let found =
                entries.iter().position(|entry| entry.query && Some(entry.api_version) == version.as_deref());
            return match (found, version) {
                (Some(index), _) => Route::Service(index),
                (None, Some(version)) => Route::Absent(clipped(&format!("API version {version}"))),
                (None, None) => Route::Nowhere,
            };
        }
        _ if is_signed_in_version_2(request) => return Route::Streamed,
        Action::Unread => return Route::AskForm,
        Action::None => {}
    }
    if let Some(index) = by_path(&|_| true) {
        return Route::Service(index);
    }
    let mut labels = request.host_label.unwrap_or_default().split('.');
    let named =
        labels.find_map(|label| entries.iter().position(|entry| entry.name.eq_ignore_ascii_case(label)));
    match (named, request.host_label) {
        (Some(index), _) => Route::Service(index),
        (None, _) if may_be_streamed(request) => Route::Streamed,
        (None, Some(label)) => Route::Absent(clipped(label)),
        (None, None) => Route::Nowhere,
    }
}

/// Whether the host names the streamed service, as `bucket.s3.eu-west-1` does.
pub(super) fn names_streamed(request: &Request<'_>) -> bool {
    let (Some(name), Some(label)) = (request.streamed, request.host_label) else { return false };
    label.split('.').any(|label| label.eq_ignore_ascii_case(name))
}

/// Whether it is signed as nothing but the streamed service is asked any more.
fn is_signed_in_version_2(request: &Request<'_>) -> bool {
    let authorization = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    request.streamed.is_some() && sigv2::is_signed(request.query, authorization)
}

/// Whether what nobody signed and nobody else claims is for the streamed service: what a browser or `curl` asks for by
/// path or by host, or a form with a file. What else is posted there says in its query what it wants.
fn may_be_streamed(request: &Request<'_>) -> bool {
    let somewhere = request.path != "/" || request.host_label.is_some();
    let posts = request.method == Method::POST && !request.preflight;
    let is_upload = content_type(request.headers).to_ascii_lowercase().starts_with("multipart/form-data");
    request.streamed.is_some() && somewhere && (!posts || is_upload || !request.query.is_empty())
}

/// The bucket that what stands before our name in a host says: `bucket.s3`, `bucket.s3.eu-west-1`, `bucket`; none in
/// `s3` or `s3.eu-west-1`. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
pub fn bucket_of_host(label: &str) -> Option<&str> {
    let is_service = |rest: &str| rest == "s3" || rest.starts_with("s3.") || rest.starts_with("s3-");
    if is_service(label) && !label.contains(".s3.") {
        return None;
    }
    // A bucket's name may hold dots: it ends before the last label that is the service's.
    let dots = label.match_indices('.').map(|(dot, _)| dot).collect::<Vec<_>>();
    let end = dots.iter().rev().find(|dot| is_service(&label[**dot + 1..]));
    Some(end.map_or(label, |end| &label[..*end]))
}

/// The region that stands behind a service's name in a host.
pub(super) fn region_of_host(label: &str, service: &str) -> Option<Region> {
    let mut labels = label.rsplit('.');
    let region = labels.next()?;
    let before = labels.next()?;
    let named = before.eq_ignore_ascii_case(service)
        || (before == "dualstack" && labels.next().is_some_and(|label| label.eq_ignore_ascii_case(service)));
    Region::parse(region).filter(|_| named && looks_like_region(region))
}

/// The region a request is for: the credential scope's, else the host's, else the default.
pub(super) fn region(
    signed_for: Option<&str>,
    host_label: Option<&str>,
    default: &Region,
) -> Result<Region, Refusal> {
    if let Some(region) = signed_for {
        if region == default.as_str() {
            return Ok(default.clone());
        }
        let invalid = || Refusal::Invalid("Credential should be scoped to a valid region.".into());
        return Region::parse(region).ok_or_else(invalid);
    }
    let in_host = host_label.and_then(|label| label.split('.').find(|label| looks_like_region(label)));
    Ok(in_host.and_then(Region::parse).unwrap_or_else(|| default.clone()))
}

/// How a client seems to speak, when no service says it: by what it sent.
pub(super) fn dialect(request: &Request<'_>) -> Dialect {
    let content_type = content_type(request.headers);
    if content_type.starts_with("application/x-amz-json") || request.headers.contains_key("x-amz-target") {
        return Dialect::AwsJson { minor: u8::from(!content_type.ends_with("1.0")) };
    }
    if is_form(content_type) || parameter(request.query, "Action").is_some() {
        return Dialect::Query;
    }
    match request.signed_for {
        Some("s3" | "s3express" | "s3-object-lambda" | "s3-outposts" | "cloudfront" | "route53") => {
            Dialect::RestXml
        }
        Some(
            "ec2"
            | "sqs"
            | "sns"
            | "iam"
            | "sts"
            | "cloudformation"
            | "elasticloadbalancing"
            | "autoscaling"
            | "rds"
            | "redshift"
            | "elasticache"
            | "monitoring"
            | "ses",
        ) => Dialect::Query,
        _ => Dialect::RestJson,
    }
}

enum Action {
    None,
    Named { version: Option<String> },
    Unread,
}

fn action(request: &Request<'_>) -> Action {
    let named = |text: &str| {
        parameter(text, "Action")
            .map(|_| Action::Named { version: parameter(text, "Version").map(Cow::into_owned) })
    };
    if let Some(action) = named(request.query) {
        return action;
    }
    if request.method != Method::POST || !is_form(content_type(request.headers)) {
        return Action::None;
    }
    match request.form {
        None => Action::Unread,
        Some(form) => named(form).unwrap_or(Action::None),
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_form(content_type: &str) -> bool {
    content_type
        .get(..33)
        .is_some_and(|start| start.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// `us-east-1`, `ap-southeast-2`, `us-gov-west-1`: a hyphenated name that ends in a number.
fn looks_like_region(label: &str) -> bool {
    label.split('-').count() >= 3
        && label.rsplit('-').next().is_some_and(|last| last.len() == 1 && last.as_bytes()[0].is_ascii_digit())
}

fn clipped(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUERY: Entry<'_> = Entry { name: "iam", target_prefix: "", api_version: "2010-05-08", query: true };
    const ENTRIES: &[Entry<'_>] = &[
        QUERY,
        Entry { name: "sts", api_version: "2011-06-15", ..QUERY },
        Entry { name: "logs", target_prefix: "Logs_20140328", api_version: "2014-03-28", query: false },
        Entry { name: "lambda", target_prefix: "", api_version: "2015-03-31", query: false },
        Entry { name: "lambda", target_prefix: "", api_version: "2026-04-30", query: false },
    ];

    fn by_path(path: &str, allowed: &dyn Fn(usize) -> bool) -> Option<usize> {
        let index = match path {
            path if path.starts_with("/2015-03-31/") => 3,
            path if path.starts_with("/2026-04-30/") => 4,
            _ => return None,
        };
        allowed(index).then_some(index)
    }

    fn check(
        line: &str,
        headers: &[(&'static str, &str)],
        signed_for: Option<&str>,
        rest: (Option<&str>, Option<&str>),
    ) -> Route {
        check_with(None, line, headers, signed_for, rest)
    }

    fn check_with(
        streamed: Option<&str>,
        line: &str,
        headers: &[(&'static str, &str)],
        signed_for: Option<&str>,
        rest: (Option<&str>, Option<&str>),
    ) -> Route {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let (host_label, form) = rest;
        let method = method.parse().unwrap();
        let request = Request {
            method: &method,
            path,
            query,
            headers: &headers,
            signed_for,
            host_label,
            form,
            preflight: false,
            streamed,
        };
        route(&request, ENTRIES, |allowed| by_path(path, allowed))
    }

    const NONE: (Option<&str>, Option<&str>) = (None, None);
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

    #[test]
    fn the_credential_scope_decides_first() {
        assert_eq!(
            check("POST /", &[("x-amz-target", "Logs_20140328.X")], Some("sts"), NONE),
            Route::Service(1)
        );
        assert_eq!(check("GET /bucket", &[], Some("s3"), NONE), Route::Absent("s3".into()));
        assert_eq!(check("GET /2026-04-30/x", &[], Some("lambda"), NONE), Route::Service(4));
        assert_eq!(check("GET /nothing", &[], Some("lambda"), NONE), Route::Service(3));
    }

    #[test]
    fn then_the_target_the_action_the_path_and_the_host() {
        let target = |value| check("POST /", &[("x-amz-target", value)], None, NONE);
        assert_eq!(target("Logs_20140328.CreateLogGroup"), Route::Service(2));
        assert_eq!(target("DynamoDB_20120810.ListTables"), Route::Absent("DynamoDB_20120810".into()));
        assert_eq!(check("GET /?Action=ListRoles&Version=2010-05-08", &[], None, NONE), Route::Service(0));
        assert_eq!(
            check("GET /?Action=X&Version=2012-11-05", &[], None, NONE),
            Route::Absent("API version 2012-11-05".into())
        );
        assert_eq!(check("POST /", &[FORM], None, NONE), Route::AskForm);
        let form = "Version=2011-06-15&Action=GetCallerIdentity";
        assert_eq!(check("POST /", &[FORM], None, (None, Some(form))), Route::Service(1));
        assert_eq!(check("POST /", &[FORM], None, (None, Some("a=b"))), Route::Nowhere);
        assert_eq!(check("GET /2015-03-31/functions", &[], None, NONE), Route::Service(3));
        assert_eq!(check("GET /x", &[], None, (Some("Lambda.us-east-1"), None)), Route::Service(3));
        assert_eq!(check("GET /x", &[], None, (Some("bucket.s3"), None)), Route::Absent("bucket.s3".into()));
        assert_eq!(check("GET /x", &[], None, NONE), Route::Nowhere);
    }

    #[test]
    fn the_streamed_service_has_what_is_signed_for_it_what_names_it_and_what_nobody_else_claims() {
        let check = |line, headers: &[(&'static str, &str)], signed_for, host, expected| {
            let seen = check_with(Some("s3"), line, headers, signed_for, (host, None));
            assert_eq!(seen, expected, "{line} {headers:?} {signed_for:?} {host:?}");
        };
        let target = [("x-amz-target", "Logs_20140328.X")];
        let upload = [("content-type", "multipart/form-data; boundary=x")];
        check("GET /2015-03-31/functions", &target, Some("s3"), None, Route::Streamed);
        check("GET /bucket/key", &[], Some("sts"), Some("bucket.s3"), Route::Service(1));
        check("GET /bucket", &[], Some("s3express"), None, Route::Absent("s3express".into()));
        for host in ["s3", "S3.eu-west-1", "bucket.s3", "my.bucket.s3.eu-west-1", "s3.dualstack.eu-west-1"] {
            check("POST /2015-03-31/functions?Action=X", &[FORM], None, Some(host), Route::Streamed);
        }
        for (line, host) in [
            ("GET /bucket", None),
            ("PUT /bucket/key", None),
            ("OPTIONS /bucket/key", None),
            ("POST /bucket/key?uploads", None),
            ("GET /", Some("bucket")),
            ("HEAD /key", Some("my.bucket")),
        ] {
            check(line, &[], None, host, Route::Streamed);
        }
        check("POST /bucket", &upload, None, None, Route::Streamed);
        let version_2 = ("authorization", "AWS a:b");
        check("GET /", &[version_2], None, None, Route::Streamed);
        check("POST /bucket", &[version_2, FORM], None, None, Route::Streamed);
        check("GET /?AWSAccessKeyId=a", &[], None, None, Route::Streamed);
        check("GET /?AWSAccessKeyId=a&Action=X&Version=2010-05-08", &[], None, None, Route::Service(0));
        // What others claim stays theirs.
        check("GET /", &[], None, None, Route::Nowhere);
        check("POST /", &[], None, None, Route::Nowhere);
        check("POST /bucket", &[], None, None, Route::Nowhere);
        check("POST /bucket", &[FORM], None, None, Route::AskForm);
        check("POST /", &target, None, Some("bucket"), Route::Service(2));
        check("GET /?Action=ListRoles&Version=2010-05-08", &[], None, Some("bucket"), Route::Service(0));
        check("GET /2015-03-31/functions", &[], None, Some("bucket"), Route::Service(3));
        check("GET /bucket", &[], None, Some("lambda.us-east-1"), Route::Service(3));
    }

    #[test]
    fn a_host_names_a_bucket_in_three_ways() {
        for (label, bucket) in [
            ("s3", None),
            ("s3.eu-west-1", None),
            ("s3-eu-west-1", None),
            ("b.s3", Some("b")),
            ("b.s3.eu-west-1", Some("b")),
            ("my.dotted.b.s3.eu-west-1", Some("my.dotted.b")),
            ("b", Some("b")),
            ("my.b", Some("my.b")),
        ] {
            assert_eq!(bucket_of_host(label), bucket, "{label}");
        }
    }

    #[test]
    fn a_region_may_stand_behind_the_streamed_services_name() {
        for (label, expected) in [
            ("s3.eu-west-1", Some("eu-west-1")),
            ("my-nice-1.s3.ap-southeast-2", Some("ap-southeast-2")),
            ("b.s3.dualstack.eu-west-1", Some("eu-west-1")),
            ("b.s3", None),
            ("s3", None),
            ("my-nice-1", None),
            ("a.my-nice-1", None),
        ] {
            let seen = region_of_host(label, "s3");
            assert_eq!(seen.as_ref().map(Region::as_str), expected, "{label}");
        }
    }

    #[test]
    fn the_region_comes_from_the_scope_or_the_host() {
        let default = Region::parse("eu-west-1").unwrap();
        let check = |scope, host, expected: Option<&str>| {
            let seen = region(scope, host, &default);
            assert_eq!(seen.as_ref().ok().map(Region::as_str), expected);
        };
        check(Some("us-west-2"), Some("lambda.us-east-1"), Some("us-west-2"));
        check(Some("Not A Region"), None, None);
        check(None, Some("lambda.ap-southeast-2"), Some("ap-southeast-2"));
        check(None, Some("my-long-name"), Some("eu-west-1"));
        check(None, None, Some("eu-west-1"));
    }

    proptest! {
        #[test]
        fn every_request_is_routed_somewhere(path in "/[!-~]{0,20}", query in "[!-~]{0,40}", target in "[ -~]{0,20}", form in ".{0,40}", host in "[a-z.-]{0,12}") {
            let line = format!("POST {path}?{query}");
            let rest = (Some(host.as_str()), Some(form.as_str()));
            let route = check(&line, &[("x-amz-target", target.as_str()), FORM], None, rest);
            prop_assert_ne!(route, Route::AskForm);
            let route = check(&line, &[FORM], None, rest);
            prop_assert_ne!(route, Route::AskForm);
        }
    }
}
