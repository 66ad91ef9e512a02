//! From HTTP to values and back, one codec per protocol.
//!
//! Every codec reads the model's shapes; none of them knows a service. rest-xml and rpc-v2-cbor are one more file
//! here and one more arm in each match.

mod bindings;
mod form;
mod json;
mod query;
mod rest_json;
pub(crate) mod text;
mod time;
mod xml;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use uuid::Uuid;

use crate::schema::{Operation, Protocol, Service, Shape};
use crate::value::Fields;
use crate::{Body, Error, Request, Response, Value};

/// Reads a request's input.
pub(crate) fn decode(service: &'static Service, request: Request) -> Result<Fields, Error> {
    let malformed = |malformed: Malformed| Error::new(service.malformed_error, malformed.0);
    match service.spoken(&request.headers) {
        Protocol::RestJson => rest_json::decode(request),
        Protocol::AwsJson { .. } => json::decode(request.operation.input, &request.body),
        Protocol::Query => query::decode(service, request),
    }
    .map_err(malformed)
}

/// Writes an answer.
pub(crate) fn encode(
    service: &Service,
    protocol: Protocol,
    operation: &Operation,
    request_id: Uuid,
    output: Value,
) -> Response {
    let Value::Structure(fields) = output else {
        return internal(service, protocol, request_id, "the output is not a structure");
    };
    let encoded = match protocol {
        Protocol::RestJson => rest_json::encode(operation, fields),
        Protocol::AwsJson { version } => json::answer(operation, version, &fields),
        Protocol::Query => Ok(query::encode(service, operation, request_id, &fields)),
    };
    match encoded {
        Ok(response) => with_request_id(response, request_id),
        Err(Malformed(cause)) => internal(service, protocol, request_id, &cause),
    }
}

/// Writes an error.
pub(crate) fn encode_error(
    service: &Service,
    protocol: Protocol,
    request_id: Uuid,
    error: &Error,
) -> Response {
    let response = match protocol {
        Protocol::RestJson => rest_json::encode_error(service, error),
        Protocol::AwsJson { version } => json::encode_error(service, version, error),
        Protocol::Query => query::encode_error(service, request_id, error),
    };
    with_request_id(response, request_id)
}

/// Writes a structure as JSON, for an event.
pub(crate) fn encode_json(shape: &Shape, value: &Value) -> Result<Vec<u8>, Malformed> {
    json::encode_value(shape, value)
}

/// An answer that cannot be written is a bug in a handler.
fn internal(service: &Service, protocol: Protocol, request_id: Uuid, cause: &str) -> Response {
    tracing::error!(service = service.name, cause, "answer cannot be written");
    encode_error(service, protocol, request_id, &Error::internal("The answer could not be written."))
}

fn with_request_id(mut response: Response, request_id: Uuid) -> Response {
    let mut buffer = Uuid::encode_buffer();
    let id = request_id.hyphenated().encode_lower(&mut buffer);
    let value = HeaderValue::from_str(id).expect("a UUID is hexadecimal digits and hyphens");
    response.headers.insert(HeaderName::from_static("x-amzn-requestid"), value);
    response
}

/// A body that cannot be read, in AWS's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl Malformed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    // Models and handlers name statuses; anything else would be a bug, and the client's business is done.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response { status, headers, body: Body::Bytes(body) }
}
