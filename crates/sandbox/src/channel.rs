//! Messages with file descriptors over a SEQPACKET socket: one message is one packet, whole or not at all.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// No message is longer. Linux's default socket buffer holds it with room to spare.
pub(crate) const MESSAGE_BYTES_MAX: usize = 96 * 1024;
/// No message carries more descriptors.
pub(crate) const FDS_MAX: usize = 48;

/// A connected pair; both ends close on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// One message as it arrived.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Sends one message. `WouldBlock` means that nothing was sent.
pub(crate) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    if bytes.len() > MESSAGE_BYTES_MAX || fds.len() > FDS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too large"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(fits, "the space was made for FDS_MAX descriptors");
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags | SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one message; `None` when the other end is closed.
///
/// A message that is longer than allowed arrives empty, so that the caller's parser refuses it.
pub(crate) fn receive(socket: impl AsFd, flags: RecvFlags) -> io::Result<Option<Packet>> {
    // Looking at the length first keeps the receiver small: a sandbox's init must not hold a large buffer.
    let mut bytes = vec![0; length_of_next(&socket, flags)?.min(MESSAGE_BYTES_MAX)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
            Ok(message) => break message,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if message.bytes == 0 && fds.is_empty() {
        return Ok(None);
    }
    let cut = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
    bytes.truncate(if message.flags.intersects(cut) { 0 } else { message.bytes });
    Ok(Some(Packet { bytes, fds }))
}

fn length_of_next(socket: impl AsFd, flags: RecvFlags) -> io::Result<usize> {
    loop {
        let flags = flags | RecvFlags::PEEK | RecvFlags::TRUNC;
        match rustix::net::recv(&socket, &mut [0u8; 1], flags) {
            Ok((_, length)) => return Ok(length),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (a, b) = pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        send(&a, b"hello", &[file.as_fd(), file.as_fd()], SendFlags::empty()).unwrap();
        let packet = receive(&b, RecvFlags::empty()).unwrap().unwrap();
        assert_eq!((packet.bytes.as_slice(), packet.fds.len()), (&b"hello"[..], 2));
    }

    #[test]
    fn a_closed_peer_is_the_end() {
        let (a, b) = pair().unwrap();
        drop(a);
        assert!(receive(&b, RecvFlags::empty()).unwrap().is_none());
    }

    #[test]
    fn an_overlong_message_is_not_sent_and_arrives_empty_if_forced() {
        let (a, b) = pair().unwrap();
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        assert!(send(&a, &long, &[], SendFlags::empty()).is_err());
        rustix::net::send(&a, &long, SendFlags::empty()).unwrap();
        assert_eq!(receive(&b, RecvFlags::empty()).unwrap().unwrap().bytes, b"");
    }
}
