//! As much of an HTTP/1.1 answer as a load generator has to understand.

use anyhow::Context as _;

/// An answer's status and what a function said of its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub function_error: bool,
    /// The server ends the connection after it.
    pub closes: bool,
}

/// A whole answer, and how many bytes it takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub head: Head,
    pub length: usize,
}

/// The answer at the beginning of these bytes, if it is all there.
pub fn parse(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).context("the head is not text")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    let status: u16 = status.with_context(|| format!("{first:?} is not HTTP/1.1"))?;
    let (mut function_error, mut closes, mut content_length, mut chunked) = (false, false, None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            content_length = Some(value.trim().parse::<usize>().context("understand Content-Length")?);
        } else if name.eq_ignore_ascii_case("x-amz-function-error") {
            function_error = true;
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = true;
        }
    }
    let (head, body) = (Head { status, function_error, closes }, end + 4);
    if chunked {
        let whole = bytes[body..].ends_with(b"0\r\n\r\n");
        return Ok(whole.then_some(Answer { head, length: bytes.len() }));
    }
    let length = body + if status == 204 { 0 } else { content_length.context("no Content-Length")? };
    Ok((bytes.len() >= length).then_some(Answer { head, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u16, bool, usize)>) {
        let found = parse(text.as_bytes()).unwrap();
        assert_eq!(found.map(|found| (found.head.status, found.head.function_error, found.length)), expected);
    }

    #[test]
    fn an_answer_is_known_by_its_length_or_its_last_chunk() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Some((200, false, 40)));
        check("HTTP/1.1 204 No Content\r\n\r\n", Some((204, false, 27)));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", None);
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Some((200, false, 59)),
        );
        check(
            "HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\ncontent-length: 0\r\n\r\n",
            Some((200, true, 71)),
        );
        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(parse(closing).unwrap().unwrap().head.closes);
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
    }
}
