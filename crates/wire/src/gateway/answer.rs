//! The gateway's own answers: errors of requests that reach no operation, in the shape that their client can read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use uuid::Uuid;

use super::Body;
use crate::schema::{self, Protocol};
use crate::sigv4::{Refusal, Style};
use crate::{Error, Value, protocol};

/// How a client reads errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The name in a header, the text in JSON.
    RestJson,
    /// Name and text in JSON; the content type carries the version.
    AwsJson { minor: u8 },
    /// `ErrorResponse` in XML.
    Query,
    /// `Error` in XML, as S3 answers.
    RestXml,
}

impl From<Protocol> for Dialect {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::RestJson => Self::RestJson,
            Protocol::AwsJson { version } => Self::AwsJson { minor: u8::from(version != "1.0") },
            Protocol::Query => Self::Query,
        }
    }
}

impl Dialect {
    /// Which words refusals of credentials use.
    pub(super) fn style(self) -> Style {
        match self {
            Self::RestJson => Style::RestJson,
            Self::AwsJson { .. } => Style::Json,
            Self::Query | Self::RestXml => Style::Query,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::RestJson => "application/json",
            Self::AwsJson { minor: 0 } => "application/x-amz-json-1.0",
            Self::AwsJson { .. } => "application/x-amz-json-1.1",
            Self::Query => "text/xml",
            Self::RestXml => "application/xml",
        })
    }
}

/// In which shape an error is said.
#[derive(Clone, Copy)]
pub(super) enum Voice<'v> {
    /// As the service says its own.
    Service(&'static schema::Service, Protocol),
    /// As the client seems to read, where there is no service.
    Guess(Dialect),
    /// As S3 says it of what was asked for.
    S3 { resource: &'v str },
}

/// An error that the gateway gives itself.
pub(super) fn fault(status: u16, code: &'static str, message: impl Into<String>) -> Error {
    Error::new(code, message).with_status(status)
}

/// Credentials refused, in the words of a service.
pub(super) fn unproven(refusal: &Refusal, style: Style) -> Error {
    fault(refusal.status(style), refusal.code(style), refusal.message(style))
}

/// The answer that carries an error.
pub(super) fn encode(error: &Error, voice: Voice<'_>, request_id: Uuid) -> Response<Body> {
    match voice {
        Voice::Service(model, spoken) => whole(protocol::encode_error(model, spoken, request_id, error)),
        Voice::Guess(dialect) => guess(error, dialect, request_id),
        Voice::S3 { resource } => of_s3(error, resource, request_id),
    }
}

/// A request's id as S3 writes it, and the extended one that it gives beside: as long and as meaningless as its.
pub fn s3_ids(request_id: Uuid) -> (String, String) {
    let id = request_id.as_bytes();
    let short = request_id.simple().to_string()[..16].to_ascii_uppercase();
    (short, STANDARD.encode([id.as_slice(), id, id].concat()))
}

fn of_s3(error: &Error, resource: &str, request_id: Uuid) -> Response<Body> {
    // Other services' names for the same.
    let code = error.code.strip_suffix("Exception").unwrap_or(&error.code);
    let (id, host_id) = s3_ids(request_id);
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    let mut element = |name: &str, text: &str| {
        for part in ["<", name, ">", &escaped(text), "</", name, ">"] {
            body.push_str(part);
        }
    };
    element("Code", code);
    element("Message", &error.message);
    for (name, value) in error.fields.iter() {
        if let Value::String(text) = value {
            element(name, text);
        }
    }
    if !resource.is_empty() {
        element("Resource", resource);
    }
    element("RequestId", &id);
    element("HostId", &host_id);
    body.push_str("</Error>");
    let mut response = Response::new(super::full(body));
    *response.status_mut() =
        StatusCode::from_u16(error.status.unwrap_or(400)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, Dialect::RestXml.content_type());
    identify_s3(response.headers_mut(), request_id);
    response
}

/// Gives an answer the headers with S3's two ids.
pub(super) fn identify_s3(headers: &mut HeaderMap, request_id: Uuid) {
    let (id, extended) = s3_ids(request_id);
    for (name, value) in [("x-amz-request-id", id), ("x-amz-id-2", extended)] {
        headers.insert(name, HeaderValue::try_from(value).expect("ids are letters and digits"));
    }
}

/// A service's answer as HTTP.
pub(super) fn whole(answer: crate::service::Response) -> Response<Body> {
    let crate::service::Response { status, headers, body } = answer;
    let mut response = Response::new(match body {
        crate::service::Body::Bytes(bytes) => super::full(bytes),
        crate::service::Body::Stream(stream) => Body::Right(stream),
    });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn guess(error: &Error, dialect: Dialect, request_id: Uuid) -> Response<Body> {
    let Error { code, message, .. } = error;
    let status = error.status.unwrap_or(400);
    let body = match dialect {
        Dialect::RestJson => {
            let kind = if status >= 500 { "Service" } else { "User" };
            serde_json::json!({ "Type": kind, "message": message }).to_string()
        }
        Dialect::AwsJson { .. } => serde_json::json!({ "__type": code, "message": message }).to_string(),
        Dialect::Query => format!(
            "<ErrorResponse><Error><Type>{}</Type><Code>{code}</Code><Message>{}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            if status >= 500 { "Receiver" } else { "Sender" },
            escaped(message)
        ),
        Dialect::RestXml => return of_s3(error, "", request_id),
    };
    let mut response = Response::new(super::full(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, dialect.content_type());
    if let (Dialect::RestJson | Dialect::AwsJson { .. }, Ok(code)) = (dialect, HeaderValue::from_str(code)) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// Text for XML; what XML cannot hold becomes U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(character),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http_body_util::BodyExt as _;

    use super::*;

    async fn check(dialect: Dialect, expected: Expect) {
        let error = fault(501, "NotImplemented", "no <'s3'> & \u{1}");
        let response = encode(&error, Voice::Guess(dialect), Uuid::nil());
        let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        expected.assert_eq(&format!("{content_type}: {}", String::from_utf8_lossy(&body)));
    }

    #[tokio::test]
    async fn each_dialect_has_its_shape() {
        check(
            Dialect::RestJson,
            expect![[r#"application/json: {"Type":"Service","message":"no <'s3'> & \u0001"}"#]],
        )
        .await;
        check(
            Dialect::AwsJson { minor: 0 },
            expect![[
                r#"application/x-amz-json-1.0: {"__type":"NotImplemented","message":"no <'s3'> & \u0001"}"#
            ]],
        )
        .await;
        check(Dialect::Query, expect![[r#"text/xml: <ErrorResponse><Error><Type>Receiver</Type><Code>NotImplemented</Code><Message>no &lt;'s3'&gt; &amp; �</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"#]]).await;
        check(Dialect::RestXml, expect![[r#"
            application/xml: <?xml version="1.0" encoding="UTF-8"?>
            <Error><Code>NotImplemented</Code><Message>no &lt;'s3'&gt; &amp; �</Message><RequestId>0000000000000000</RequestId><HostId>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA</HostId></Error>"#]]).await;
    }
}
