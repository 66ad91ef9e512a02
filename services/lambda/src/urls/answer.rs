//! What a function returned as an HTTP response: payload format 2.0, and what AWS infers where it says less.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA, WWW_AUTHENTICATE,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Headers that only the platform sets. A function's go out under another name, as from API Gateway.
const REMAPPED: [HeaderName; 11] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    DATE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    SERVER,
    VIA,
    WWW_AUTHENTICATE,
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("x-amzn-trace-id"),
];
/// Before the names of such headers.
const REMAPPED_PREFIX: &str = "x-amzn-remapped-";

/// An answer's head.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers, ready to be sent.
    pub headers: HeaderMap,
}

/// The function's answer is no HTTP response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(Cow<'static, str>);

impl From<&'static str> for Malformed {
    fn from(why: &'static str) -> Self {
        Self(why.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    is_base64_encoded: Option<&'a RawValue>,
}

/// A header's value: AWS takes whatever can be written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
    Null,
}

/// Reads what a function returned. What names no status is the body itself.
pub fn infer(payload: &Bytes) -> Result<(Head, Bytes), Malformed> {
    let is_object = payload.trim_ascii_start().first() == Some(&b'{');
    if !is_object {
        let json = serde_json::from_slice::<IgnoredAny>(payload);
        json.map_err(|_| Malformed("the function returned something that is not JSON".into()))?;
        return Ok((plain(), payload.clone()));
    }
    let said: Said<'_> = serde_json::from_slice(payload)
        .map_err(|error| Malformed(format!("the function's answer cannot be read: {error}").into()))?;
    if !is_said(said.status_code) {
        return Ok((plain(), payload.clone()));
    }
    let head = head(&said)?;
    Ok((head, body(&said)?))
}

/// Reads the head of a streamed response.
pub fn streamed_head(json: &[u8]) -> Result<Head, Malformed> {
    let said: Said<'_> = serde_json::from_slice(json)
        .map_err(|error| Malformed(format!("the response stream's head cannot be read: {error}").into()))?;
    head(&said)
}

fn plain() -> Head {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Head { status: StatusCode::OK, headers }
}

fn head(said: &Said<'_>) -> Result<Head, Malformed> {
    let mut headers = HeaderMap::new();
    let named: BTreeMap<String, Scalar> = read(said.headers, "headers")?.unwrap_or_default();
    for (name, value) in named {
        let text = match value {
            Scalar::Text(text) => text,
            Scalar::Number(number) => number.to_string(),
            Scalar::Flag(flag) => flag.to_string(),
            Scalar::Null => String::new(),
        };
        let pair = HeaderName::try_from(&name).ok().zip(HeaderValue::from_str(&text).ok());
        let (name, value) =
            pair.ok_or_else(|| Malformed(format!("the function's header {name:?} cannot be sent").into()))?;
        headers.append(sent_as(name), value);
    }
    for cookie in read::<Vec<String>>(said.cookies, "cookies")?.unwrap_or_default() {
        let cookie = HeaderValue::from_str(&cookie);
        headers.append(SET_COOKIE, cookie.map_err(|_| Malformed("a cookie cannot be sent".into()))?);
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(Head { status: status(said.status_code)?, headers })
}

/// Without a status, in the head of a stream, 200.
fn status(said: Option<&RawValue>) -> Result<StatusCode, Malformed> {
    let text = match said.map(RawValue::get) {
        None | Some("null") => return Ok(StatusCode::OK),
        Some(text) => text.trim_matches('"'),
    };
    // Informational answers announce another one, which a function cannot give.
    let code = text.parse().ok().filter(|code| (200..600).contains(code));
    let code = code.and_then(|code: u16| StatusCode::from_u16(code).ok());
    code.ok_or_else(|| Malformed(format!("the function's statusCode {text} is none").into()))
}

fn body(said: &Said<'_>) -> Result<Bytes, Malformed> {
    let encoded = read::<bool>(said.is_base64_encoded, "isBase64Encoded")?.unwrap_or(false);
    let text = read::<String>(said.body, "body")?.unwrap_or_default();
    if !encoded {
        return Ok(text.into());
    }
    let decoded = STANDARD.decode(text).map_err(|_| Malformed("the function's body is not base64".into()))?;
    Ok(decoded.into())
}

fn read<'a, T: Deserialize<'a>>(said: Option<&'a RawValue>, what: &str) -> Result<Option<T>, Malformed> {
    let Some(json) = said else { return Ok(None) };
    serde_json::from_str(json.get())
        .map_err(|error| Malformed(format!("the function's {what} cannot be read: {error}").into()))
}

fn is_said(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() != "null")
}

/// The name under which a function's header goes out.
fn sent_as(name: HeaderName) -> HeaderName {
    if !REMAPPED.contains(&name) && !is_hop_by_hop(&name) {
        return name;
    }
    HeaderName::try_from(format!("{REMAPPED_PREFIX}{name}")).expect("a name and letters before it are a name")
}

/// Headers about one connection, which no function sees the ends of.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    const HOP_BY_HOP: [HeaderName; 7] =
        [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    HOP_BY_HOP.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(returned: &str, expected: &str) {
        let answer = infer(&Bytes::copy_from_slice(returned.as_bytes()));
        let shown = answer.map_or_else(
            |error| error.to_string(),
            |(head, body)| {
                let headers: Vec<String> = (head.headers.iter())
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                    .collect();
                let body = String::from_utf8_lossy(&body).into_owned();
                format!("{} {} | {body}", head.status.as_u16(), headers.join(", "))
            },
        );
        assert_eq!(shown, expected, "{returned}");
    }

    #[test]
    fn what_names_no_status_is_the_body() {
        for json in ["\"hello\"", "[1, 2]", "null", "1.5", "{\"message\": \"x\"}", " {\"body\": {\"a\": 1}}"]
        {
            check(json, &format!("200 content-type: application/json | {json}"));
        }
        check("{\"statusCode\": null}", "200 content-type: application/json | {\"statusCode\": null}");
    }

    #[test]
    fn what_names_a_status_is_a_response() {
        check(r#"{"statusCode": 204}"#, "204 content-type: application/json | ");
        check(r#"{"statusCode": "404", "body": "no"}"#, "404 content-type: application/json | no");
        check(
            r#"{"statusCode": 200, "headers": {"Content-Type": "text/html", "X-N": 1, "X-B": true}, "body": "é\n"}"#,
            "200 content-type: text/html, x-b: true, x-n: 1 | é\n",
        );
        check(
            r#"{"statusCode": 200, "isBase64Encoded": true, "body": "aGk=", "cookies": ["a=1", "b=2; Path=/"]}"#,
            "200 set-cookie: a=1, set-cookie: b=2; Path=/, content-type: application/json | hi",
        );
    }

    #[test]
    fn headers_of_the_platform_go_out_under_another_name() {
        check(
            r#"{"statusCode": 401, "headers": {"WWW-Authenticate": "Basic", "Content-Length": 7, "Connection": "close", "content-type": "a/b"}}"#,
            "401 x-amzn-remapped-connection: close, x-amzn-remapped-content-length: 7, \
             x-amzn-remapped-www-authenticate: Basic, content-type: a/b | ",
        );
    }

    #[test]
    fn what_cannot_be_sent_is_malformed() {
        check(r#"{"statusCode": 99}"#, "the function's statusCode 99 is none");
        check(r#"{"statusCode": 101}"#, "the function's statusCode 101 is none");
        check(r#"{"statusCode": "x"}"#, "the function's statusCode x is none");
        check(
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
            "the function's body is not base64",
        );
        check("nope", "the function returned something that is not JSON");
        check("", "the function returned something that is not JSON");
        for wrong in [
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "b\nc"}}"#,
            r#"{"statusCode": 200, "headers": {"a": ["b"]}}"#,
            r#"{"statusCode": 200, "cookies": "a=1"}"#,
            r#"{"statusCode": 200"#,
        ] {
            assert!(infer(&Bytes::from_static(wrong.as_bytes())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_head_of_a_stream_needs_no_status() {
        let head =
            streamed_head(br#"{"headers": {"content-type": "text/event-stream"}, "cookies": ["a=1"]}"#);
        let head = head.unwrap();
        assert_eq!((head.status, head.headers.len()), (StatusCode::OK, 2));
        assert!(streamed_head(b"").is_err());
    }
}
