//! rest-json: operations by method and path, bodies in JSON or as they are.

use http::{HeaderName, HeaderValue, header};
use http_body_util::BodyExt as _;

use super::{Malformed, bindings, json, response};
use crate::event_stream::{self, EventBody};
use crate::schema::{Kind, Location, Member, Operation, Service, Shape};
use crate::value::Fields;
use crate::{Body, Error, Request, Response, Value};

/// Reads a request. A payload is not copied: it shares the body.
pub(super) fn decode(request: Request) -> Result<Fields, Malformed> {
    let input = request.operation.input;
    let Some(structure) = input.structure() else { return Ok(Fields::default()) };
    let mut fields = match structure.payload {
        None if structure.members.iter().any(|member| member.location == Location::Body) => {
            json::decode(input, &request.body)?
        }
        None => Fields::default(),
        Some(payload) => {
            let mut fields = Fields::with_capacity(structure.members.len());
            let member = structure.members.iter().find(|member| member.name == payload);
            if let Some(member) = member.filter(|_| !request.body.is_empty()) {
                fields.set(member.name, decode_payload(member.shape, &request)?);
            }
            fields
        }
    };
    bindings::read(structure, &request, &mut fields)?;
    Ok(fields)
}

fn decode_payload(shape: &'static Shape, request: &Request) -> Result<Value, Malformed> {
    match shape.kind {
        Kind::Blob { .. } => Ok(Value::Blob(request.body.clone())),
        Kind::String { .. } => match std::str::from_utf8(&request.body) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(Malformed::new("The request body is not UTF-8")),
        },
        _ => json::decode(shape, &request.body).map(Value::Structure),
    }
}

/// Writes an answer.
pub(super) fn encode(operation: &Operation, mut fields: Fields) -> Result<Response, Malformed> {
    let output = operation.output;
    let Some(structure) = output.structure() else { return Ok(response(operation.status, JSON, Vec::new())) };
    let status = structure.members.iter().find(|member| member.location == Location::StatusCode);
    let status = match status.map(|member| fields.take(member.name)) {
        Some(Value::Int(status)) => {
            u16::try_from(status).map_err(|_| Malformed::new("the status is no status"))?
        }
        _ => operation.status,
    };
    let mut answer = match structure.payload {
        Some(payload) => match fields.take(payload) {
            Value::Null => response(status, JSON, Vec::new()),
            // Lambda's answers are JSON, whatever their bytes are.
            Value::Blob(bytes) => response(status, JSON, bytes),
            Value::String(text) => response(status, JSON, text),
            value => {
                let member = structure.members.iter().find(|member| member.name == payload);
                let shape = member.map_or(output, |member| member.shape);
                if let Value::Events(events) = value {
                    return encode_events(
                        status,
                        EventBody::new(&events, shape)?,
                        structure.members,
                        &fields,
                    );
                }
                response(status, JSON, json::encode_value(shape, &value)?)
            }
        },
        None if status == 204 || output.is_unit() => response(status, JSON, Vec::new()),
        None => response(status, JSON, json::encode(output, &fields)?),
    };
    bindings::write_headers(structure.members, &fields, &mut answer.headers)?;
    Ok(answer)
}

/// Writes an answer that is a stream of events. Should the answer's own media type be among its headers, it gives way
/// to the stream's.
fn encode_events(
    status: u16,
    events: EventBody,
    members: &[Member],
    fields: &Fields,
) -> Result<Response, Malformed> {
    let mut answer = response(status, JSON, Vec::new());
    answer.body = Body::Stream(events.boxed_unsync());
    bindings::write_headers(members, fields, &mut answer.headers)?;
    let stream = HeaderValue::from_static(event_stream::CONTENT_TYPE);
    if let Some(remapped) = answer.headers.insert(header::CONTENT_TYPE, stream) {
        answer.headers.insert(REMAPPED_CONTENT_TYPE, remapped);
    }
    Ok(answer)
}

/// Where an answer's own media type goes when the body has another.
const REMAPPED_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-amzn-remapped-content-type");

const JSON: &str = "application/json";

/// Writes an error: its name in a header, its text in the body.
pub(super) fn encode_error(service: &Service, error: &Error) -> Response {
    let shape = service.error(&error.code);
    let members = shape.map_or(&[][..], |shape| shape.members);
    let status = error.status(service);
    let mut fields = error.fields.as_ref().clone();
    // Lambda's errors say whose fault they are; those outside its model do not.
    if members.iter().any(|member| member.name == "Type") && fields.get("Type").is_none() {
        fields.set("Type", Value::from(if status >= 500 { "Service" } else { "User" }));
    }
    let message_key = shape.map_or_else(|| unmodelled_message_key(&error.code), |shape| shape.message_key);
    let body = json::ErrorBody { kind: None, message_key, message: &error.message, members, fields: &fields };
    let mut answer = response(status, JSON, body.to_vec());
    if answer.headers.get(header::CONTENT_TYPE).is_none() {
        answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    let name = shape.map_or(error.code.as_ref(), |shape| shape.shape);
    if let Ok(name) = HeaderValue::from_str(name) {
        answer.headers.insert(HeaderName::from_static("x-amzn-errortype"), name);
    }
    if let Err(Malformed(cause)) = bindings::write_headers(members, &fields, &mut answer.headers) {
        tracing::error!(service = service.name, cause, "a header of an error cannot be written");
    }
    answer
}

/// What the common errors call their message, where the service's model does not have them.
fn unmodelled_message_key(code: &str) -> &'static str {
    match code {
        "AccessDeniedException" | "MissingAuthenticationTokenException" => "Message",
        _ => "message",
    }
}
