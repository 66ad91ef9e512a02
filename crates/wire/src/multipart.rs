//! The bodies of browsers' forms, taken apart as they come: nothing is held but what may yet be a boundary.
//! <https://www.rfc-editor.org/rfc/rfc7578>, <https://www.rfc-editor.org/rfc/rfc2046#section-5.1>

mod head;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

pub use head::{Head, boundary};

/// What may stand before a part's bytes. Names of files are the longest thing there.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const END_OF_LINE: &[u8] = b"\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// What a form's body holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A part begins.
    Part(Head),
    /// Bytes of the part that began last.
    Data(Bytes),
    /// The part that began last ends.
    End,
}

/// It is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not well-formed multipart/form-data")]
pub struct Malformed;

/// Takes a form's body apart. What arrives is [`Decoder::push`]ed; [`Decoder::piece`] says what is known by then.
#[derive(Debug)]
pub struct Decoder {
    /// The end of a line and the boundary.
    delimiter: Vec<u8>,
    /// What has arrived and is not understood yet.
    rest: Bytes,
    at: At,
    taken: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first boundary, where nothing has a meaning.
    Preamble,
    /// Behind a boundary: another part follows, or none.
    Boundary,
    Head,
    Data,
    /// Behind the last boundary, where nothing has a meaning either.
    Epilogue,
}

impl Decoder {
    /// Of a body with this boundary.
    pub fn new(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // A body may begin with its first boundary, without an empty line before.
        Self { delimiter, rest: Bytes::from_static(END_OF_LINE), at: At::Preamble, taken: 0 }
    }

    /// What follows of the body.
    pub fn push(&mut self, data: Bytes) {
        if self.rest.is_empty() {
            self.rest = data;
        } else {
            let mut joined = BytesMut::with_capacity(self.rest.len() + data.len());
            joined.extend_from_slice(&self.rest);
            joined.extend_from_slice(&data);
            self.rest = joined.freeze();
        }
    }

    /// What comes next; nothing until more is [pushed](Decoder::push).
    ///
    /// # Errors
    /// If it cannot be a form.
    pub fn piece(&mut self) -> Result<Option<Piece>, Malformed> {
        loop {
            match self.at {
                At::Preamble => {
                    let (before, ended) = self.before_delimiter();
                    self.take(before);
                    if !ended {
                        return Ok(None);
                    }
                    self.take(self.delimiter.len());
                    self.at = At::Boundary;
                }
                At::Boundary => match behind_boundary(&self.rest)? {
                    Some(next) => self.at = next,
                    None => return Ok(None),
                },
                At::Head => {
                    // It begins with the end of the boundary's own line: a part may have no head at all.
                    let Some(end) = memmem::find(&self.rest, END_OF_HEAD) else {
                        return if self.rest.len() > HEAD_BYTES_MAX { Err(Malformed) } else { Ok(None) };
                    };
                    let head = self.take(end + END_OF_HEAD.len());
                    self.at = At::Data;
                    return Ok(Some(Piece::Part(Head::of(&head))));
                }
                At::Data => match self.before_delimiter() {
                    (0, false) => return Ok(None),
                    (0, true) => {
                        self.take(self.delimiter.len());
                        self.at = At::Boundary;
                        return Ok(Some(Piece::End));
                    }
                    (before, _) => return Ok(Some(Piece::Data(self.take(before)))),
                },
                At::Epilogue => {
                    self.take(self.rest.len());
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the last boundary has been seen.
    pub fn is_done(&self) -> bool {
        self.at == At::Epilogue
    }

    /// How many bytes have been understood.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many bytes stand before the next delimiter for certain, and whether it follows them.
    fn before_delimiter(&self) -> (usize, bool) {
        match memmem::find(&self.rest, &self.delimiter) {
            Some(before) => (before, true),
            None => (self.rest.len() - begun(&self.rest, &self.delimiter), false),
        }
    }

    fn take(&mut self, count: usize) -> Bytes {
        self.taken += count as u64;
        self.rest.split_to(count)
    }
}

/// How many of the last bytes may be the beginning of a delimiter.
fn begun(bytes: &[u8], delimiter: &[u8]) -> usize {
    let longest = bytes.len().min(delimiter.len() - 1);
    (1..=longest).rev().find(|count| delimiter.starts_with(&bytes[bytes.len() - count..])).unwrap_or(0)
}

/// Where a boundary leads, once that is known. Blanks may follow it.
fn behind_boundary(rest: &[u8]) -> Result<Option<At>, Malformed> {
    if rest.starts_with(b"--") {
        return Ok(Some(At::Epilogue));
    }
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &rest[blanks..] {
        [] | [b'\r'] if blanks <= HEAD_BYTES_MAX => Ok(None),
        [b'-'] if blanks == 0 => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(At::Head)),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests;
