//! The head of a streamed HTTP response: JSON, eight zero bytes, and then the body, cut into parts anywhere.
//!
//! Functions write it with `awslambda.HttpResponseStream.from`; the runtime marks it with a media type of its own.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// The media type of a response with a prelude.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>
pub const MEDIA_TYPE: &str = "application/vnd.awslambda.http-integration-response";
/// Between head and body.
const DELIMITER: [u8; 8] = [0; 8];
/// How much of the response may come before the body.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html>
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A head that is not complete yet.
#[derive(Debug, Default)]
pub struct Prelude {
    read: BytesMut,
}

/// What a part of the response led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is needed.
    Incomplete(Prelude),
    /// The head, and what came of the body with it.
    Complete {
        /// The head's JSON.
        head: Bytes,
        /// The beginning of the body.
        body: Bytes,
    },
    /// This is no prelude.
    TooLong,
}

impl PartialEq for Prelude {
    fn eq(&self, other: &Self) -> bool {
        self.read == other.read
    }
}

impl Eq for Prelude {}

impl Prelude {
    /// Takes the next part.
    pub fn push(mut self, part: &[u8]) -> Progress {
        // The delimiter may begin in what was read before.
        let seen = self.read.len().saturating_sub(DELIMITER.len() - 1);
        let fits = part.len().min(HEAD_BYTES_MAX + DELIMITER.len() - self.read.len());
        self.read.extend_from_slice(&part[..fits]);
        match memmem::find(&self.read[seen..], &DELIMITER) {
            Some(at) => {
                let head = self.read.split_to(seen + at).freeze();
                let mut body = self.read.split_off(DELIMITER.len());
                body.extend_from_slice(&part[fits..]);
                Progress::Complete { head, body: body.freeze() }
            }
            None if self.read.len() < HEAD_BYTES_MAX + DELIMITER.len() => Progress::Incomplete(self),
            None => Progress::TooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds a response in parts of these lengths, then what is left.
    fn read(response: &[u8], lengths: &[usize]) -> (Progress, usize) {
        let (mut prelude, mut rest, mut lengths) = (Prelude::default(), response, lengths.iter());
        loop {
            let length = lengths.next().map_or(rest.len(), |length| (*length).min(rest.len()));
            let (part, after) = rest.split_at(length);
            rest = after;
            match prelude.push(part) {
                Progress::Incomplete(more) if rest.is_empty() => {
                    return (Progress::Incomplete(more), 0);
                }
                Progress::Incomplete(more) => prelude = more,
                ended => return (ended, rest.len()),
            }
        }
    }

    #[test]
    fn a_head_without_end_is_not_kept() {
        let long = vec![b'x'; 10 * HEAD_BYTES_MAX];
        assert_eq!(read(&long, &[]).0, Progress::TooLong);
        assert_eq!(read(&long, &[7; 100_000]).0, Progress::TooLong);
        let longest = [vec![b'x'; HEAD_BYTES_MAX], vec![0; 8], vec![b'y'; 3]].concat();
        let Progress::Complete { head, body } = read(&longest, &[]).0 else { panic!("it fits") };
        assert_eq!((head.len(), &body[..]), (HEAD_BYTES_MAX, &b"yyy"[..]));
    }

    proptest! {
        #[test]
        fn head_and_body_come_apart_wherever_they_are_cut(
            head in proptest::collection::vec(1u8.., 0..200),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(0usize..40, 0..30),
        ) {
            let response = [&head[..], &[0; 8], &body[..]].concat();
            let (progress, left) = read(&response, &cuts);
            let Progress::Complete { head: seen, body: begun } = progress else {
                return Err(TestCaseError::fail("there is a delimiter"));
            };
            prop_assert_eq!(&seen[..], &head[..]);
            prop_assert_eq!(&begun[..], &body[..body.len() - left]);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(0usize..9, 0..60),
        ) {
            let whole = read(&bytes, &[]).0;
            let parts = read(&bytes, &cuts).0;
            match (whole, parts) {
                (Progress::Complete { head, .. }, Progress::Complete { head: same, .. }) => prop_assert_eq!(head, same),
                (whole, parts) => prop_assert_eq!(whole, parts),
            }
        }
    }
}
