//! Bodies in chunks (`aws-chunked`): the framing taken off, and the signatures of the chunks checked as they pass.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

#[cfg(test)]
mod tests;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::chunk_key::ChunkKey;

/// The line before a chunk: its size in hexadecimal and, if signed, a signature of 64 characters.
const HEAD_BYTES_MAX: usize = 256;
/// The headers behind a body.
const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// What a chunk must have that is not the last.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
const CHUNK_BYTES_MIN: u64 = 8 * 1024;
/// Newlines that may follow the end: some clients end a trailer twice.
const NEWLINES_AFTER_END_MAX: usize = 4;
const SIGNATURE: &str = "chunk-signature=";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// What is wrong with a body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The framing cannot be read, or it ends before the body does.
    #[error("the framing of the body's chunks is malformed")]
    Malformed,
    /// A chunk or the trailer is not what was signed.
    #[error("a chunk's signature does not match")]
    Mismatch,
    /// A chunk that is not the last is too short.
    #[error("chunk {chunk} follows one of only {bytes} bytes")]
    Short {
        /// The number of the chunk that follows, from one.
        chunk: u64,
        /// How long the one before it was.
        bytes: u64,
    },
    /// The chunks hold more than the body was announced to have.
    #[error("the chunks have {bytes} bytes or more")]
    Excess {
        /// Up to the end of the chunk that is too much.
        bytes: u64,
    },
    /// The headers behind the body cannot be read, or are not those that were announced.
    #[error("the trailer is malformed, or not what was announced")]
    Trailer,
}

/// Takes the framing off. What [`Decoder::next`] gives out is the client's, and never more than was announced; a
/// chunk's signature is checked when its last byte has passed, so nothing may be believed before [`Decoder::is_done`].
pub struct Decoder {
    /// What chunks hold together, as announced, and have held so far.
    announced: u64,
    seen: u64,
    /// Chunks so far, and the length of the last of them.
    chunks: u64,
    last: u64,
    /// None: chunks are not signed, or whose they are is nobody's business.
    key: Option<ChunkKey>,
    /// What may follow the last chunk.
    trailer: Trailer,
    state: State,
    waiting: BytesMut,
    trailers: HeaderMap,
}

/// What may follow the last chunk.
enum Trailer {
    Nothing,
    /// These headers, all of them; with a signature at their end where chunks have signatures.
    Headers {
        announced: Vec<HeaderName>,
        signed: bool,
    },
}

enum State {
    Head,
    Data { left: u64, signature: String, digest: Sha256 },
    DataEnd,
    Trailer { lines: String, signature: Option<String>, blank: bool },
    Done { newlines: usize },
}

impl Decoder {
    /// A decoder at the start of a body whose chunks hold this much and are not signed.
    pub fn new(announced: u64) -> Self {
        Self {
            announced,
            seen: 0,
            chunks: 0,
            last: CHUNK_BYTES_MIN,
            key: None,
            trailer: Trailer::Nothing,
            state: State::Head,
            waiting: BytesMut::new(),
            trailers: HeaderMap::new(),
        }
    }

    /// Has the chunks' signatures checked.
    pub fn with_key(mut self, key: ChunkKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Has headers behind the last chunk: those announced and no other; with a signature of their own behind them, if
    /// the client signs its chunks.
    pub fn with_trailer(mut self, announced: Vec<HeaderName>, signed: bool) -> Self {
        self.trailer = Trailer::Headers { announced, signed };
        self
    }

    /// Whether the whole body has passed, and every signature held.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// What the chunks have held so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The headers behind the body, once it has passed.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The next piece of the client's bytes in `input`, which is consumed as far as it was understood. `None`: more
    /// input is needed, or the body is done.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        loop {
            match &mut self.state {
                State::Data { left: 0, .. } => self.end_chunk()?,
                State::Data { .. } if input.is_empty() => return Ok(None),
                State::Data { left, digest, .. } => {
                    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    let data = input.split_to(length);
                    *left -= length as u64;
                    if self.key.is_some() {
                        digest.update(&data);
                    }
                    if *left == 0 {
                        self.end_chunk()?;
                    }
                    return Ok(Some(data));
                }
                State::Done { newlines } => {
                    let plain = input.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
                    *newlines += input.len();
                    if !plain || *newlines > NEWLINES_AFTER_END_MAX {
                        return Err(ChunkError::Malformed);
                    }
                    input.clear();
                    return Ok(None);
                }
                State::Head | State::DataEnd | State::Trailer { .. } => {
                    let (limit, error) = match self.state {
                        State::Trailer { .. } => (TRAILER_BYTES_MAX, ChunkError::Trailer),
                        _ => (HEAD_BYTES_MAX, ChunkError::Malformed),
                    };
                    let Some(line) = line(&mut self.waiting, input, limit).map_err(|Unreadable| error)?
                    else {
                        return Ok(None);
                    };
                    self.line(&line)?;
                }
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<(), ChunkError> {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Head => self.head(line),
            State::DataEnd if line.is_empty() => Ok(()),
            State::Trailer { lines, signature, blank } => self.trailer(lines, signature, blank, line),
            State::DataEnd | State::Data { .. } | State::Done { .. } => Err(ChunkError::Malformed),
        }
    }

    fn head(&mut self, line: &str) -> Result<(), ChunkError> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let plain = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let left = u64::from_str_radix(size, 16).ok().filter(|_| plain).ok_or(ChunkError::Malformed)?;
        let signature = extension.strip_prefix(SIGNATURE).unwrap_or_default().to_owned();
        if self.key.is_some() && signature.is_empty() {
            return Err(ChunkError::Malformed);
        }
        if left > 0 {
            self.measure(left)?;
        }
        self.state = State::Data { left, signature, digest: Sha256::new() };
        if left == 0 {
            self.check_chunk()?;
            self.state = State::Trailer { lines: String::new(), signature: None, blank: false };
        }
        Ok(())
    }

    /// Judges a chunk by its length, before any of it is there.
    fn measure(&mut self, bytes: u64) -> Result<(), ChunkError> {
        self.chunks += 1;
        if self.last < CHUNK_BYTES_MIN {
            return Err(ChunkError::Short { chunk: self.chunks, bytes: self.last });
        }
        self.last = bytes;
        self.seen = self.seen.saturating_add(bytes);
        if self.seen > self.announced {
            return Err(ChunkError::Excess { bytes: self.seen });
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), ChunkError> {
        self.check_chunk()?;
        self.state = State::DataEnd;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), ChunkError> {
        let State::Data { signature, digest, .. } = std::mem::replace(&mut self.state, State::Head) else {
            return Err(ChunkError::Malformed);
        };
        let Some(key) = &mut self.key else { return Ok(()) };
        let holds = key.holds_for_chunk(&digest.finalize().into(), &signature);
        if holds { Ok(()) } else { Err(ChunkError::Mismatch) }
    }

    fn trailer(
        &mut self,
        mut lines: String,
        signature: Option<String>,
        blank: bool,
        line: &str,
    ) -> Result<(), ChunkError> {
        let signed = matches!(self.trailer, Trailer::Headers { signed: true, .. });
        if line.is_empty() {
            // Some clients put an empty line before the signature, which is none of the lines that it covers.
            if signed && signature.is_none() && !blank {
                self.state = State::Trailer { lines, signature, blank: true };
                return Ok(());
            }
            return self.finish(&lines, signature.as_deref());
        }
        if lines.len() + line.len() > TRAILER_BYTES_MAX {
            return Err(ChunkError::Trailer);
        }
        let (name, value) = line.split_once(':').ok_or(ChunkError::Trailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if signed && signature.is_none() && name == TRAILER_SIGNATURE {
            self.state = State::Trailer { lines, signature: Some(value.to_owned()), blank };
            return Ok(());
        }
        if blank || signature.is_some() {
            return Err(ChunkError::Trailer);
        }
        for part in [name.as_str(), ":", value, "\n"] {
            lines.push_str(part);
        }
        let name = HeaderName::try_from(name).map_err(|_| ChunkError::Trailer)?;
        let value = HeaderValue::from_str(value).map_err(|_| ChunkError::Trailer)?;
        let known = matches!(&self.trailer, Trailer::Headers { announced, .. } if announced.contains(&name));
        if !known || self.trailers.insert(name, value).is_some() {
            return Err(ChunkError::Trailer);
        }
        self.state = State::Trailer { lines, signature, blank };
        Ok(())
    }

    fn finish(&mut self, lines: &str, signature: Option<&str>) -> Result<(), ChunkError> {
        if let Trailer::Headers { announced, signed } = &self.trailer {
            if announced.iter().any(|name| !self.trailers.contains_key(name)) {
                return Err(ChunkError::Trailer);
            }
            if let (Some(key), true) = (&mut self.key, *signed) {
                let signature = signature.ok_or(ChunkError::Trailer)?;
                if !key.holds_for_trailer(lines, signature) {
                    return Err(ChunkError::Mismatch);
                }
            }
        }
        self.state = State::Done { newlines: 0 };
        Ok(())
    }
}

/// A line that is too long, or no text.
struct Unreadable;

/// A line, without its end, once all of it is there.
fn line(waiting: &mut BytesMut, input: &mut Bytes, limit: usize) -> Result<Option<String>, Unreadable> {
    let end = memchr::memchr(b'\n', input);
    let taken = end.map_or(input.len(), |end| end + 1);
    if waiting.len() + taken > limit {
        return Err(Unreadable);
    }
    waiting.extend_from_slice(&input[..taken]);
    input.advance(taken);
    if end.is_none() {
        return Ok(None);
    }
    let whole = waiting.split();
    let text = std::str::from_utf8(&whole).map_err(|_| Unreadable)?;
    // SDKs end every line as HTTP does; some end those of the trailer with the newline alone.
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Some(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}
