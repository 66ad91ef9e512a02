//! Splits a stream of bytes into lines of bounded length.

/// The longest line; a longer one becomes several. It is CloudWatch Logs' largest event.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;

/// The part of a line that has arrived.
#[derive(Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes what was printed and gives each line that it completes, without its line break.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.append(&bytes[..end], &mut line);
            line(text(std::mem::take(&mut self.partial)));
            bytes = &bytes[end + 1..];
        }
        self.append(bytes, &mut line);
    }

    /// Gives what has no line break yet.
    pub(crate) fn flush(&mut self, mut line: impl FnMut(String)) {
        if !self.partial.is_empty() {
            line(text(std::mem::take(&mut self.partial)));
        }
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
    fn check(pieces: &[&[u8]], expected: &[&str]) {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| seen.push(line));
        }
        lines.flush(|line| seen.push(line));
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        check(&[b"a\nb\n"], &["a", "b"]);
        check(&[b"a", b"b\nc"], &["ab", "c"]);
        check(&[b"\n\nx"], &["", "", "x"]);
        check(&[b"dos\r\n"], &["dos"]);
        check(&[b"", b""], &[]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_even_across_pieces() {
        check(&[b"\xff!\n"], &["\u{fffd}!"]);
        check(&[b"\xc3", b"\xa9\n"], &["é"]);
    }

    #[test]
    fn a_line_of_any_length_is_cut_into_bounded_ones() {
        let long = vec![b'x'; 2 * LINE_BYTES_MAX + 10];
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        lines.push(&long, |line| seen.push(line.len()));
        lines.push(b"\n", |line| seen.push(line.len()));
        assert_eq!(seen, [LINE_BYTES_MAX, LINE_BYTES_MAX, 10]);
    }
}
