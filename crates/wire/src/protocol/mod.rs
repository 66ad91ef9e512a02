//! From HTTP to values and back, one codec per protocol.

use uuid::Uuid;

use crate::schema::{Operation, Service};
use crate::value::Fields;
use crate::{Error, Request, Response, Value};

/// Reads a request's input.
pub(crate) fn decode(_service: &'static Service, _request: Request) -> Result<Fields, Error> {
    Err(Error::internal("codecs follow"))
}

/// Writes an answer.
pub(crate) fn encode(_: &Service, _: &Operation, _: Uuid, _: Value) -> Response {
    response()
}

/// Writes an error.
pub(crate) fn encode_error(_: &Service, _: Uuid, _: &Error) -> Response {
    response()
}

fn response() -> Response {
    Response {
        status: http::StatusCode::INTERNAL_SERVER_ERROR,
        headers: http::HeaderMap::new(),
        body: crate::Body::Bytes(bytes::Bytes::new()),
    }
}
