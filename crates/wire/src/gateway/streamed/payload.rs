//! How a body is to be read: what its head declares of its digest, its framing and its length.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderName, Method, Version};
use sha2::Sha256;

use crate::Error;
use crate::gateway::answer::fault;
use crate::gateway::inflow::Form;
use crate::sigv4::{
    CONTENT_SHA256, ChunkKey, Claim, Decoder, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER,
    UNSIGNED_PAYLOAD, View, sha256_of_nothing,
};

/// Stands in the length of a body whose framing counts, too: the length of what the client meant.
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The names of the headers behind the body.
const TRAILER: &str = "x-amz-trailer";

/// What a head declares of its body.
pub(super) struct Payload<'a> {
    /// What stands for the body in the signature.
    pub(super) line: Cow<'a, str>,
    kind: Kind,
}

enum Kind {
    Unsigned,
    Digest(String),
    Chunks { signed: bool, trailer: bool },
}

impl<'a> Payload<'a> {
    /// Reads what is declared. `must` says that something must be: where the signature, in a header, covers it.
    pub(super) fn of(view: &View<'a>, claim: Option<&Claim<'a>>, must: bool) -> Result<Self, Error> {
        let line = match claim {
            Some(claim) => claim.declared_payload(view),
            None => view.headers.get(CONTENT_SHA256).map(|value| String::from_utf8_lossy(value.as_bytes())),
        };
        if line.is_none() && must {
            let message = "Missing required header for this request: x-amz-content-sha256";
            return Err(fault(400, "InvalidRequest", message));
        }
        let line = line.unwrap_or(UNSIGNED_PAYLOAD.into());
        let kind = match line.as_ref() {
            // Some clients frame a body that they do not sign, and say so only beside it.
            UNSIGNED_PAYLOAD if is_framed(view.headers) => Kind::Chunks { signed: false, trailer: true },
            UNSIGNED_PAYLOAD => Kind::Unsigned,
            SIGNED_CHUNKS => Kind::Chunks { signed: true, trailer: false },
            SIGNED_CHUNKS_TRAILER => Kind::Chunks { signed: true, trailer: true },
            UNSIGNED_CHUNKS_TRAILER => Kind::Chunks { signed: false, trailer: true },
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(fault(
                    501,
                    "NotImplemented",
                    format!(
                        "Hearth does not verify Signature Version 4A ({line}); sign with AWS4-HMAC-SHA256."
                    ),
                ));
            }
            digest if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Kind::Digest(digest.to_ascii_lowercase())
            }
            _ => return Err(unknown(&line)),
        };
        Ok(Self { line, kind })
    }

    /// How to read the body, and how much it holds. `key` is what signs its chunks, where that is known.
    pub(super) fn form(
        self,
        parts: &Parts,
        empty: bool,
        key: impl FnOnce() -> Option<ChunkKey>,
    ) -> Result<(Form, Option<u64>), Error> {
        let headers = &parts.headers;
        match self.kind {
            Kind::Unsigned => Ok((Form::Plain, length(parts, empty)?)),
            Kind::Digest(declared) if empty && declared != sha256_of_nothing() => {
                let computed = sha256_of_nothing();
                Err(crate::gateway::InflowError::Digest { declared, computed }.refusal())
            }
            Kind::Digest(declared) => {
                Ok((Form::Digested(declared, Sha256::default()), length(parts, empty)?))
            }
            Kind::Chunks { signed, trailer } => {
                let decoded = headers.get(DECODED_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
                let length = decoded.ok_or_else(missing_length)?;
                let mut decoder = Decoder::new(length);
                if let (true, Some(key)) = (signed, key()) {
                    decoder = decoder.with_key(key);
                }
                if trailer {
                    decoder = decoder.with_trailer(trailers(headers)?, signed);
                }
                Ok((Form::Chunks(Box::new(decoder)), Some(length)))
            }
        }
    }
}

/// Whether a head says of a body that it comes in chunks, and how long it is without them.
fn is_framed(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).into_iter();
    let mut encodings = encodings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    headers.contains_key(DECODED_LENGTH)
        && encodings.any(|encoding| encoding.trim_ascii().eq_ignore_ascii_case(b"aws-chunked"))
}

/// How long a plain body is. Objects have a length before they have bytes, and a PUT says it even if it is none.
fn length(parts: &Parts, empty: bool) -> Result<Option<u64>, Error> {
    let headers = &parts.headers;
    // The frames of HTTP/2 say it.
    let must_say = parts.method == Method::PUT && parts.version < Version::HTTP_2;
    match headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()) {
        Some(length) => Ok(Some(length)),
        None if empty && !must_say => Ok(Some(0)),
        None if headers.contains_key(TRANSFER_ENCODING) => Err(fault(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        )
        .with_field("Header", "Transfer-Encoding")),
        None => Err(missing_length()),
    }
}

fn missing_length() -> Error {
    fault(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
}

fn trailers(headers: &HeaderMap) -> Result<Vec<HeaderName>, Error> {
    let values = headers.get_all(TRAILER).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .map(|name| {
            HeaderName::from_bytes(name).map_err(|_| {
                fault(
                    400,
                    "InvalidRequest",
                    "The value specified in the x-amz-trailer header is not supported",
                )
            })
        })
        .collect()
}

fn unknown(line: &str) -> Error {
    fault(
        400,
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
         STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid \
         sha256 value.",
    )
    .with_field("ArgumentName", CONTENT_SHA256)
    .with_field("ArgumentValue", line.chars().take(256).collect::<String>())
}
