//! A SEQPACKET socket on the event loop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags, Shutdown};
use tokio::io::unix::AsyncFd;

use crate::Error;
use crate::channel::{self, Packet};

#[derive(Debug)]
pub(crate) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// Must be called within the async runtime.
    pub(crate) fn register(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // SAFETY: an `OwnedFd` is open until dropped, always says the same number, and is owned by the result.
        Ok(Self(unsafe { AsyncFd::register(socket) }?))
    }

    /// Sends one message, waiting while the socket is full.
    pub(crate) async fn send(&self, bytes: &[u8], fd: Option<&OwnedFd>) -> io::Result<()> {
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        loop {
            // Tried before waiting: it is nearly always writable.
            match channel::send(self.0.get_ref(), bytes, &fds, SendFlags::DONTWAIT) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            let mut guard = self.0.writable().await?;
            match guard.try_io(|socket| channel::send(socket.get_ref(), bytes, &fds, SendFlags::DONTWAIT)) {
                Ok(result) => return result,
                Err(_still_full) => {}
            }
        }
    }

    /// Receives one message; `None` at the end.
    pub(crate) async fn receive(&self) -> io::Result<Option<Packet>> {
        loop {
            let mut guard = self.0.readable().await?;
            if let Ok(result) = guard.try_io(|socket| channel::receive(socket.get_ref(), RecvFlags::DONTWAIT))
            {
                return result;
            }
        }
    }

    /// Ends it for both sides, whoever still holds it.
    pub(crate) fn close(&self) {
        // It fails only when the other end is closed already.
        let _ = rustix::net::shutdown(self.0.get_ref(), Shutdown::Both);
    }
}

/// A failed send: mostly the other side is no more.
pub(crate) fn gone_or(error: io::Error, gone: Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected | io::ErrorKind::ConnectionReset => gone,
        _ => Error::Io { what: "send to a sandbox".into(), source: error },
    }
}
