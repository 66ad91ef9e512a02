//! Splits what a runtime prints into messages: lines, and frames among them.
//!
//! The managed runtimes' clients write log messages as frames, so that a message of many lines stays one. They are told
//! to write them to standard output, where they stand in order with what is printed; no text can be taken for one,
//! because a frame starts with a byte that starts no character.

/// The longest message; a longer one becomes several. It is CloudWatch Logs' largest event.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// A frame's head: its kind in four bytes, its length in four, its time in eight.
const FRAME_HEAD_BYTES: usize = 16;
const FRAME_START: [u8; 3] = [0xA5, 0x5A, 0x00];

/// What has arrived of a message.
#[derive(Default)]
pub(crate) struct Lines {
    framed: bool,
    partial: Vec<u8>,
    head: Vec<u8>,
    frame: Option<Frame>,
}

struct Frame {
    message: Vec<u8>,
    missing: usize,
}

impl Lines {
    /// With frames or without.
    pub(crate) fn new(framed: bool) -> Self {
        Self { framed, ..Self::default() }
    }

    /// Takes what was printed and gives each message that it completes, without its line break.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while !bytes.is_empty() {
            bytes = if self.frame.is_some() {
                self.push_frame(bytes, &mut line)
            } else if !self.head.is_empty() {
                self.push_head(bytes, &mut line)
            } else {
                self.push_text(bytes, &mut line)
            };
        }
    }

    /// Gives what has no line break yet.
    pub(crate) fn flush(&mut self, mut line: impl FnMut(String)) {
        // Half a frame is not text; the other half will come, or the runtime is dead.
        if !self.partial.is_empty() {
            line(text(std::mem::take(&mut self.partial)));
        }
    }

    fn push_text<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(String)) -> &'a [u8] {
        let end = if self.framed {
            memchr::memchr2(b'\n', FRAME_START[0], bytes)
        } else {
            memchr::memchr(b'\n', bytes)
        };
        let Some(end) = end else {
            self.append(bytes, line);
            return &[];
        };
        self.append(&bytes[..end], line);
        if bytes[end] == b'\n' {
            line(text(std::mem::take(&mut self.partial)));
        } else {
            self.head.push(bytes[end]);
        }
        &bytes[end + 1..]
    }

    fn push_head<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(String)) -> &'a [u8] {
        let at = self.head.len();
        let fits = match at {
            1 | 2 => bytes[0] == FRAME_START[at],
            // The lowest bits tell text from JSON; the others are the level.
            3 => matches!(bytes[0] & 3, 2 | 3),
            _ => true,
        };
        if !fits {
            // Bytes that are no text, printed as if they were.
            let head = std::mem::take(&mut self.head);
            self.append(&head, line);
            return bytes;
        }
        self.head.push(bytes[0]);
        if self.head.len() == FRAME_HEAD_BYTES {
            let length = u32::from_be_bytes([self.head[4], self.head[5], self.head[6], self.head[7]]);
            self.head.clear();
            let missing = usize::try_from(length).unwrap_or(usize::MAX);
            if missing > 0 {
                self.frame = Some(Frame { message: Vec::new(), missing });
            }
        }
        &bytes[1..]
    }

    fn push_frame<'a>(&mut self, bytes: &'a [u8], line: &mut impl FnMut(String)) -> &'a [u8] {
        let Some(frame) = &mut self.frame else { return bytes };
        let room = LINE_BYTES_MAX - frame.message.len();
        let (now, rest) = bytes.split_at(bytes.len().min(frame.missing).min(room));
        frame.message.extend_from_slice(now);
        frame.missing -= now.len();
        if frame.missing > 0 && frame.message.len() < LINE_BYTES_MAX {
            return rest;
        }
        let mut message = std::mem::take(&mut frame.message);
        if frame.missing == 0 {
            self.frame = None;
        }
        if message.last() == Some(&b'\n') {
            message.pop();
        }
        if !self.partial.is_empty() {
            line(text(std::mem::take(&mut self.partial)));
        }
        line(text(message));
        rest
    }

    fn append(&mut self, mut bytes: &[u8], line: &mut impl FnMut(String)) {
        while self.partial.len() + bytes.len() > LINE_BYTES_MAX {
            let (head, rest) = bytes.split_at(LINE_BYTES_MAX - self.partial.len());
            self.partial.extend_from_slice(head);
            line(text(std::mem::take(&mut self.partial)));
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }
}

fn text(bytes: Vec<u8>) -> String {
    let mut text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if text.ends_with('\r') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(framed: bool, pieces: &[&[u8]], expected: &[&str]) {
        let (mut lines, mut seen) = (Lines::new(framed), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| seen.push(line));
        }
        lines.flush(|line| seen.push(line));
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        check(false, &[b"a\nb\n"], &["a", "b"]);
        check(false, &[b"a", b"b\nc"], &["ab", "c"]);
        check(false, &[b"\n\nx"], &["", "", "x"]);
        check(false, &[b"dos\r\n"], &["dos"]);
        check(false, &[b"", b""], &[]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_even_across_pieces() {
        check(false, &[b"\xff!\n"], &["\u{fffd}!"]);
        check(false, &[b"\xc3", b"\xa9\n"], &["é"]);
        check(true, &[b"\xa5!\n\xa5\x5a?\n"], &["\u{fffd}!", "\u{fffd}Z?"]);
    }

    #[test]
    fn a_line_of_any_length_is_cut_into_bounded_ones() {
        let long = vec![b'x'; 2 * LINE_BYTES_MAX + 10];
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        lines.push(&long, |line| seen.push(line.len()));
        lines.push(b"\n", |line| seen.push(line.len()));
        assert_eq!(seen, [LINE_BYTES_MAX, LINE_BYTES_MAX, 10]);
    }

    fn frame(message: &str) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&[0xA5, 0x5A, 0x00, 0x13][..], &length.to_be_bytes(), &[0; 8], message.as_bytes()].concat()
    }

    #[test]
    fn a_frame_is_one_message_however_it_arrives_and_wherever_it_stands() {
        let bytes =
            [b"before\npartial".as_slice(), &frame("two\nlines\n"), b"after\n", &frame("next")].concat();
        let expected = ["before", "partial", "two\nlines", "after", "next"];
        check(true, &[&bytes], &expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        check(true, &single, &expected);
    }

    #[test]
    fn a_frame_of_any_length_is_cut_into_bounded_messages() {
        let (mut lines, mut seen) = (Lines::new(true), Vec::new());
        lines.push(&frame(&"x".repeat(LINE_BYTES_MAX + 5)), |line| seen.push(line.len()));
        assert_eq!(seen, [LINE_BYTES_MAX, 5]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_printed_can_break_the_reader(
            pieces in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..40), 0..20)
        ) {
            let mut lines = Lines::new(true);
            for mut piece in pieces {
                if piece.len() > 20 {
                    piece.splice(0..0, FRAME_START);
                }
                lines.push(&piece, |line| assert!(line.len() <= 3 * LINE_BYTES_MAX));
            }
            lines.flush(|_| {});
        }
    }
}
