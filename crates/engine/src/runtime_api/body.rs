//! Reads what a runtime posts, within bounds.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// What arrived.
pub(super) struct Read {
    /// Nothing if it was more than allowed.
    pub(super) bytes: Option<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

/// The connection closed, or the chunks made no sense, before the end.
pub(super) struct Truncated;

/// Reads to the end. What goes beyond `bytes_max` is read and forgotten, because a runtime writes everything before it
/// reads the answer; the function's timeout bounds how long that takes.
pub(super) async fn read(mut body: Incoming, bytes_max: usize) -> Result<Read, Truncated> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut too_large = announced > bytes_max;
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let frame = match frame.map_err(|_| Truncated)?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        too_large |= first.len() + joined.len() + frame.len() > bytes_max;
        if too_large {
            (first, joined) = (Bytes::new(), BytesMut::new());
        } else if first.is_empty() && joined.is_empty() {
            first = frame;
        } else {
            if joined.is_empty() {
                joined.reserve(announced.max(first.len() + frame.len()).min(bytes_max));
                joined.extend_from_slice(&std::mem::take(&mut first));
            }
            joined.extend_from_slice(&frame);
        }
    }
    let bytes = if joined.is_empty() { first } else { joined.freeze() };
    Ok(Read { bytes: (!too_large).then_some(bytes), trailers })
}

/// Decodes standard base64 with or without padding.
pub(super) fn decode_base64(text: &str) -> Option<Bytes> {
    use base64::Engine as _;
    let unpadded = text.trim_end_matches('=');
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(unpadded).ok().map(Bytes::from)
}
