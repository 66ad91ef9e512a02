//! Reads one of a runtime's output pipes.

use std::io;

use tokio::net::unix::pipe;

use super::lines::Lines;

/// How much is read at once: the size of a pipe.
const READ_BYTES: usize = 64 * 1024;
/// How much is read at most when an invocation ends, so that a child that never stops printing cannot hold it up.
const DRAIN_BYTES_MAX: usize = 4 * 1024 * 1024;

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

    /// Reads everything that was written until now, and ends the line.
    pub(crate) fn drain(&mut self, buffer: &mut Vec<u8>, mut line: impl FnMut(String)) {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(pipe) = &self.pipe {
            buffer.clear();
            buffer.reserve(READ_BYTES);
            // Not through the async runtime: it would answer from what it last knew about the pipe.
            match rustix::io::read(pipe, rustix::buffer::spare_capacity(buffer)) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    self.lines.push(buffer, &mut line);
                    left = left.saturating_sub(count);
                    if left == 0 {
                        break;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => self.pipe = None,
            }
        }
        self.lines.flush(line);
    }
}
