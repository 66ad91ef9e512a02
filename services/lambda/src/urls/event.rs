//! An HTTP request as the event that a function gets: payload format 2.0.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Principal, Timestamp};
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, USER_AGENT,
};
use http::{Method, Version};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use uuid::Uuid;
use wire::gateway::Identified;

use super::answer::is_hop_by_hop;

/// The only route and the only stage that a URL has.
const DEFAULT: &str = "$default";

/// A request and where it arrived.
pub struct Arrival<'a> {
    /// The URL's id.
    pub url_id: &'a str,
    /// The URL's host, without a port.
    pub domain_name: &'a str,
    /// The port, for who wants to link back.
    pub port: u16,
    /// `GET`
    pub method: &'a Method,
    /// As it was sent, without what only says which URL is meant.
    pub path: &'a str,
    /// As it was sent.
    pub query: &'a str,
    /// `HTTP/1.1`
    pub version: Version,
    /// As they were sent.
    pub headers: &'a HeaderMap,
    /// As it was sent.
    pub body: &'a [u8],
    /// The client's address.
    pub source_ip: IpAddr,
    /// Who signed, where a signature is asked for.
    pub signer: Option<&'a Identified>,
    /// The invocation's id.
    pub request_id: Uuid,
    /// The invocation's trace.
    pub trace: &'a str,
    /// When it arrived.
    pub at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: Uuid,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: Cow<'a, str>,
    protocol: String,
    source_ip: String,
    user_agent: Cow<'a, str>,
}

#[derive(Serialize)]
struct Authorizer<'a> {
    iam: Iam<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'a> {
    access_key: &'a str,
    account_id: &'a str,
    caller_id: String,
    /// Not of a Cognito pool, and not of an organization: neither is there.
    cognito_identity: Option<()>,
    principal_org_id: Option<()>,
    user_arn: String,
    user_id: String,
}

/// The event, as JSON.
pub fn event(arrival: &Arrival<'_>) -> Vec<u8> {
    let (body, is_base64_encoded) = body(arrival);
    let event = Event {
        version: "2.0",
        route_key: DEFAULT,
        raw_path: arrival.path,
        raw_query_string: arrival.query,
        cookies: cookies(arrival.headers),
        headers: headers(arrival),
        query_string_parameters: parameters(arrival.query),
        request_context: request_context(arrival),
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).expect("every key is text")
}

fn request_context<'a>(arrival: &Arrival<'a>) -> RequestContext<'a> {
    let at = jiff::Timestamp::from_millisecond(arrival.at.epoch_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let user_agent = arrival.headers.get(USER_AGENT).map_or(&b""[..], |value| value.as_bytes());
    RequestContext {
        account_id: arrival.signer.map_or("anonymous", |signer| signer.principal.account().as_str()),
        api_id: arrival.url_id,
        authorizer: arrival.signer.map(|signer| Authorizer { iam: iam(signer) }),
        domain_name: arrival.domain_name,
        domain_prefix: arrival.url_id,
        http: Http {
            method: arrival.method.as_str(),
            path: percent_decode_str(arrival.path).decode_utf8_lossy(),
            protocol: format!("{:?}", arrival.version),
            source_ip: arrival.source_ip.to_string(),
            user_agent: String::from_utf8_lossy(user_agent),
        },
        request_id: arrival.request_id,
        route_key: DEFAULT,
        stage: DEFAULT,
        time: at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        time_epoch: arrival.at.epoch_ms(),
    }
}

fn iam(signer: &Identified) -> Iam<'_> {
    let id = match &signer.principal {
        Principal::Root(account) => account.to_string(),
        Principal::User { id, .. } => id.clone(),
        Principal::AssumedRole { role_id, session, .. } => format!("{role_id}:{session}"),
    };
    Iam {
        access_key: &signer.access_key_id,
        account_id: signer.principal.account().as_str(),
        caller_id: id.clone(),
        cognito_identity: None,
        principal_org_id: None,
        user_arn: signer.principal.arn(),
        user_id: id,
    }
}

/// One value for each name; several of a name are joined by commas, as HTTP allows for all but cookies.
fn headers<'a>(arrival: &Arrival<'a>) -> BTreeMap<&'a str, String> {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    let is_own = |name: &HeaderName| {
        // A signature is for the platform, and has been checked.
        *name == COOKIE || (*name == AUTHORIZATION && arrival.signer.is_some()) || is_hop_by_hop(name)
    };
    for (name, value) in arrival.headers.iter().filter(|(name, _)| !is_own(name)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let source_ip = arrival.source_ip.to_string();
    joined
        .entry("x-forwarded-for")
        .and_modify(|hops| {
            hops.push_str(", ");
            hops.push_str(&source_ip);
        })
        .or_insert(source_ip);
    joined.insert("x-forwarded-proto", "http".to_owned());
    joined.insert("x-forwarded-port", arrival.port.to_string());
    joined.insert("x-amzn-trace-id", arrival.trace.to_owned());
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).into_iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let text = |cookie: &[u8]| String::from_utf8_lossy(cookie.trim_ascii()).into_owned();
    cookies.map(text).filter(|cookie| !cookie.is_empty()).collect()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value);
        joined
            .entry(decode(name))
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}

/// Text as it is, anything else in base64; and which of the two it was.
fn body<'a>(arrival: &Arrival<'a>) -> (Option<Cow<'a, str>>, bool) {
    if arrival.body.is_empty() {
        return (None, false);
    }
    let text = if is_text(arrival.headers) { std::str::from_utf8(arrival.body).ok() } else { None };
    match text {
        Some(text) => (Some(text.into()), false),
        None => (Some(STANDARD.encode(arrival.body).into()), true),
    }
}

/// Media types whose bodies travel as they are. AWS does not list them; forms are known not to be among them.
fn is_text(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || matches!(&*media_type, "application/json" | "application/xml" | "application/javascript")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use domain::Account;
    use expect_test::expect;
    use http::header::HeaderValue;
    use serde_json::Value;

    use super::*;

    fn seen(headers: &[(&'static str, &'static str)], body: &[u8], signer: Option<&Identified>) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let arrival = Arrival {
            url_id: "abc",
            domain_name: "abc.lambda-url.us-east-1.localhost",
            port: 4566,
            method: &Method::POST,
            path: "/my%20path",
            query: "a=1&a=2&b=x%20y+z&c",
            version: Version::HTTP_11,
            headers: &map,
            body,
            source_ip: "127.0.0.1".parse().unwrap(),
            signer,
            request_id: Uuid::nil(),
            trace: "Root=1-a-b",
            at: Timestamp(1_583_348_638_390),
        };
        serde_json::from_slice(&event(&arrival)).unwrap()
    }

    #[test]
    fn a_request_becomes_payload_2_0() {
        let headers = [
            ("host", "abc.lambda-url.us-east-1.localhost:4566"),
            ("user-agent", "curl/8"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("cookie", "a=1; b=2"),
            ("cookie", "c=3"),
            ("connection", "close"),
            ("x-forwarded-for", "10.0.0.1"),
            ("content-type", "text/plain"),
            ("authorization", "Bearer x"),
        ];
        expect![[r#"
            {
              "version": "2.0",
              "routeKey": "$default",
              "rawPath": "/my%20path",
              "rawQueryString": "a=1&a=2&b=x%20y+z&c",
              "cookies": [
                "a=1",
                "b=2",
                "c=3"
              ],
              "headers": {
                "authorization": "Bearer x",
                "content-type": "text/plain",
                "host": "abc.lambda-url.us-east-1.localhost:4566",
                "user-agent": "curl/8",
                "x-amzn-trace-id": "Root=1-a-b",
                "x-forwarded-for": "10.0.0.1, 127.0.0.1",
                "x-forwarded-port": "4566",
                "x-forwarded-proto": "http",
                "x-twice": "1,2"
              },
              "queryStringParameters": {
                "a": "1,2",
                "b": "x y z",
                "c": ""
              },
              "requestContext": {
                "accountId": "anonymous",
                "apiId": "abc",
                "domainName": "abc.lambda-url.us-east-1.localhost",
                "domainPrefix": "abc",
                "http": {
                  "method": "POST",
                  "path": "/my path",
                  "protocol": "HTTP/1.1",
                  "sourceIp": "127.0.0.1",
                  "userAgent": "curl/8"
                },
                "requestId": "00000000-0000-0000-0000-000000000000",
                "routeKey": "$default",
                "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1583348638390
              },
              "body": "hé",
              "isBase64Encoded": false
            }"#]]
        .assert_eq(&pretty(&seen(&headers, "hé".as_bytes(), None)));
    }

    /// In the order in which the fields are written.
    fn pretty(event: &Value) -> String {
        const ORDER: [&str; 10] = [
            "version",
            "routeKey",
            "rawPath",
            "rawQueryString",
            "cookies",
            "headers",
            "queryStringParameters",
            "requestContext",
            "body",
            "isBase64Encoded",
        ];
        let fields: Vec<String> = (ORDER.iter())
            .filter_map(|name| {
                let value = serde_json::to_string_pretty(event.get(*name)?).unwrap().replace('\n', "\n  ");
                Some(format!("  \"{name}\": {value}"))
            })
            .collect();
        format!("{{\n{}\n}}", fields.join(",\n"))
    }

    #[test]
    fn who_signed_is_in_the_event_and_the_signature_is_not() {
        let signer = Identified {
            principal: Principal::User {
                account: Account::default(),
                name: "ann".into(),
                id: "AIDA1".into(),
                path: "/".into(),
            },
            access_key_id: "AKIA1".into(),
        };
        let event = seen(&[("authorization", "AWS4-HMAC-SHA256 x")], b"", Some(&signer));
        assert!(event["headers"].get("authorization").is_none() && event.get("body").is_none());
        assert_eq!(event["requestContext"]["accountId"], "000000000000");
        expect![[r#"{"accessKey":"AKIA1","accountId":"000000000000","callerId":"AIDA1","cognitoIdentity":null,"principalOrgId":null,"userArn":"arn:aws:iam::000000000000:user/ann","userId":"AIDA1"}"#]]
            .assert_eq(&event["requestContext"]["authorizer"]["iam"].to_string());
    }

    #[test]
    fn only_text_travels_as_text() {
        let check = |headers: &[(&'static str, &'static str)], body: &[u8], encoded: bool| {
            let event = seen(headers, body, None);
            assert_eq!(event["isBase64Encoded"], encoded, "{headers:?}");
            let text = event["body"].as_str().unwrap();
            assert_eq!(text == STANDARD.encode(body), encoded, "{headers:?}");
        };
        check(&[("content-type", "application/json")], b"{}", false);
        check(&[("content-type", "Application/Problem+JSON; charset=utf-8")], b"{}", false);
        check(&[("content-type", "application/x-www-form-urlencoded")], b"a=b", true);
        check(&[("content-type", "image/png")], b"\x89PNG", true);
        check(&[("content-type", "text/plain")], b"\xff", true);
        check(&[("content-type", "text/plain"), ("content-encoding", "gzip")], b"x", true);
        check(&[], b"x", true);
    }
}
