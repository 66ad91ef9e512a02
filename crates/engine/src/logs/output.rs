//! Reads one of a runtime's output pipes.

use std::io;

use tokio::net::unix::pipe;

use super::lines::Lines;

/// How much is read at once: the size of a pipe.
const READ_BYTES: usize = 64 * 1024;

/// A pipe, and the line that is being printed.
pub(crate) struct Output {
    pipe: Option<pipe::Receiver>,
    lines: Lines,
}

impl Output {
    pub(crate) fn new(pipe: pipe::Receiver, framed: bool) -> Self {
        Self { pipe: Some(pipe), lines: Lines::new(framed) }
    }

    /// Waits until there is something to read; for ever once the pipe is closed.
    pub(crate) async fn readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Reads once, without waiting.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>, line: impl FnMut(String)) {
        let Some(pipe) = &self.pipe else { return };
        buffer.clear();
        buffer.reserve(READ_BYTES);
        match pipe.try_read_buf(buffer) {
            Ok(0) => self.pipe = None,
            Ok(_) => self.lines.push(buffer, line),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
    }

    /// Reads everything that was written until now, and ends the line. Not what is written meanwhile: a child that never
    /// stops printing cannot hold up the end of an invocation, nor print more than the log takes.
    pub(crate) fn drain(&mut self, buffer: &mut Vec<u8>, mut line: impl FnMut(String)) {
        let waiting =
            self.pipe.as_ref().and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok()).unwrap_or_default();
        let mut left = usize::try_from(waiting).unwrap_or(usize::MAX);
        while let Some(pipe) = &self.pipe {
            if left == 0 {
                break;
            }
            buffer.clear();
            buffer.reserve(READ_BYTES);
            // Not through the async runtime: it would answer from what it last knew about the pipe.
            match rustix::io::read(pipe, rustix::buffer::spare_capacity(buffer)) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    self.lines.push(buffer, &mut line);
                    left = left.saturating_sub(count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => self.pipe = None,
            }
        }
        self.lines.flush(line);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_and_the_line_ended() {
        let (writer, reader) = pipe::pipe().unwrap();
        let mut output = Output::new(reader, false);
        writer.writable().await.unwrap();
        assert_eq!(writer.try_write(b"one\ntwo").unwrap(), 7);
        let mut lines = Vec::new();
        output.drain(&mut Vec::new(), |line| lines.push(line));
        output.drain(&mut Vec::new(), |line| lines.push(line));
        assert_eq!(lines, ["one", "two"]);
    }

    #[tokio::test]
    async fn who_never_stops_printing_does_not_hold_up_the_end() {
        let (writer, reader) = pipe::pipe().unwrap();
        let mut writer = std::fs::File::from(writer.into_blocking_fd().unwrap());
        let mut output = Output::new(reader, false);
        let printing = std::thread::spawn(move || while writer.write_all(b"again\n").is_ok() {});
        output.readable().await;
        for _ in 0..100 {
            let mut bytes = 0;
            output.drain(&mut Vec::new(), |line| bytes += line.len() + 1);
            // What was there, and what came into the last piece.
            assert!(bytes <= 2 * READ_BYTES, "{bytes} bytes");
        }
        drop(output);
        printing.join().unwrap();
    }
}
