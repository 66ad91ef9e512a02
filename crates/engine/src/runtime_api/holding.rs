//! A connection that can keep an answer back, to send it with the next one.
//!
//! Hearth's own runtime clients send a report and the question for the next invocation together, and say so. Nothing
//! happens in the runtime between the two answers, so the first need not wake it: it leaves with the second, in one call
//! of the system. Other clients wait for the answer to their report before they ask, and get it at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether answers are kept back. One connection's, shared by what serves it and what writes to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Hold(Arc<AtomicBool>);

impl Hold {
    pub(super) fn set(&self, hold: bool) {
        self.0.store(hold, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The connection. What is kept is an answer to a report: a few hundred bytes.
pub(super) struct Holding<S> {
    stream: S,
    hold: Hold,
    kept: Vec<u8>,
}

impl<S> Holding<S> {
    pub(super) fn new(stream: S, hold: Hold) -> Self {
        Self { stream, hold, kept: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Holding<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Holding<S> {
    /// Writes what is kept and then `more`; how much of `more` went, which is nothing only if it is empty.
    fn poll_release(&mut self, cx: &mut Context<'_>, more: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let is_empty = more.iter().all(|part| part.is_empty());
        while !self.kept.is_empty() {
            let mut all = Vec::with_capacity(more.len() + 1);
            all.push(IoSlice::new(&self.kept));
            all.extend(more.iter().map(|part| IoSlice::new(part)));
            let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_kept = written.min(self.kept.len());
            self.kept.drain(..of_kept);
            if written > of_kept {
                return Poll::Ready(Ok(written - of_kept));
            }
        }
        if is_empty {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, more)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Holding<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.hold.is_set() {
            self.kept.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        self.poll_release(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.hold.is_set() {
            parts.iter().for_each(|part| self.kept.extend_from_slice(part));
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        self.poll_release(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hold.is_set() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_release(cx, &[]))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx, &[]))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_kept_leaves_with_what_follows() {
        let (mut ours, theirs) = tokio::io::duplex(64);
        let hold = Hold::default();
        let mut stream = Holding::new(theirs, hold.clone());
        hold.set(true);
        stream.write_all(b"one ").await.unwrap();
        stream.flush().await.unwrap();
        let mut buffer = [0; 64];
        assert!(tokio::time::timeout(std::time::Duration::ZERO, ours.read(&mut buffer)).await.is_err());
        hold.set(false);
        stream.write_all(b"two").await.unwrap();
        stream.flush().await.unwrap();
        let length = ours.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"one two");
    }

    #[tokio::test]
    async fn more_than_the_peer_takes_at_once_arrives_in_order() {
        let (mut ours, theirs) = tokio::io::duplex(3);
        let hold = Hold::default();
        let mut stream = Holding::new(theirs, hold.clone());
        hold.set(true);
        stream.write_all(b"kept back").await.unwrap();
        hold.set(false);
        let write = async {
            stream.write_all(b", and then more").await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut text = String::new();
        let (_, read) = tokio::join!(write, ours.read_to_string(&mut text));
        read.unwrap();
        assert_eq!(text, "kept back, and then more");
    }
}
