//! Netlink messages: the few bytes of them that a sandbox needs, and a socket that waits for the kernel's answer.
//!
//! The kernel handles a request inside `sendto`, so its answers are already queued when that returns: nothing
//! here blocks. [`Messages`] knows the layout only; which messages to send is for its callers.

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::os::fd::OwnedFd;

/// Every netlink message and attribute starts on a multiple of this.
const ALIGNMENT: usize = 4;
/// `struct nlmsghdr`.
const HEADER_LEN: usize = 16;
const NLMSG_ERROR: u16 = 2;
/// Address families, in the one byte that netlink headers have for them.
pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
/// Marks an attribute whose payload is attributes.
const NLA_F_NESTED: u16 = 1 << 15;

pub(super) const NLM_F_REQUEST: u16 = 1;
pub(super) const NLM_F_ACK: u16 = 4;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_APPEND: u16 = 0x800;

/// A buffer of netlink messages, numbered from 1 in the order they were added.
#[derive(Debug, Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    count: u32,
}

impl Messages {
    /// Adds one message: the family's fixed `header`, then what `attributes` appends.
    pub(super) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) -> &mut Self {
        let start = self.bytes.len();
        self.count += 1;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.count.to_ne_bytes());
        // The sender's port: the kernel fills in the socket's own.
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        align(&mut self.bytes);
        attributes(&mut Attributes(&mut self.bytes));
        let len = u32::try_from(self.bytes.len() - start)
            .expect("the messages written here are a few hundred bytes");
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends attributes to the message being written.
#[derive(Debug)]
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.attribute(kind, |payload| payload.extend_from_slice(value))
    }

    /// A NUL-terminated name.
    pub(super) fn name(&mut self, kind: u16, value: &str) -> &mut Self {
        self.attribute(kind, |payload| {
            payload.extend_from_slice(value.as_bytes());
            payload.push(0);
        })
    }

    /// nf_tables numbers are big-endian.
    pub(super) fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// rtnetlink numbers are in the machine's order.
    pub(super) fn ne32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub(super) fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        self.attribute(kind | NLA_F_NESTED, |payload| inner(&mut Attributes(payload)))
    }

    /// Bytes that are no attribute: a fixed header inside a nest.
    #[cfg(test)]
    pub(super) fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        align(self.0);
        self
    }

    fn attribute(&mut self, kind: u16, payload: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        payload(self.0);
        let len = u16::try_from(self.0.len() - start).expect("an attribute written here is far below 64 KiB");
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        align(self.0);
        self
    }
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// A netlink socket of one family, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// For addresses, links and routes.
    pub(super) fn route() -> io::Result<Self> {
        // Family 0, which is what "no protocol in particular" means to a netlink socket.
        Self::open(None)
    }

    /// For nf_tables.
    pub(super) fn netfilter() -> io::Result<Self> {
        Self::open(Some(rustix::net::netlink::NETFILTER))
    }

    fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self(socket))
    }

    /// Sends the messages and reads the acknowledgements; the first failure among them is the result.
    /// At least one message must ask for one ([`NLM_F_ACK`]).
    pub(super) fn execute(&self, messages: &Messages) -> io::Result<()> {
        self.send(messages)?;
        let mut acknowledged = false;
        let mut buffer = [0; 8192];
        loop {
            match rustix::net::recv(&self.0, &mut buffer, RecvFlags::empty()) {
                Ok((_, len)) => {
                    for (kind, body) in parse(&buffer[..len]) {
                        if kind == NLMSG_ERROR {
                            acknowledged = true;
                            check(body)?;
                        }
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) if acknowledged => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends one request and hands its one answer to `read`; an error answer is the result.
    pub(super) fn ask<T>(&self, request: &Messages, read: impl FnOnce(&[u8]) -> Option<T>) -> io::Result<T> {
        let mut buffer = [0; 8192];
        // An answer left over from an interrupted request must not be taken for this one's.
        while rustix::net::recv(&self.0, &mut buffer, RecvFlags::empty()).is_ok() {}
        self.send(request)?;
        let (_, len) = rustix::net::recv(&self.0, &mut buffer, RecvFlags::empty())?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a netlink answer that cannot be read");
        let (kind, body) = parse(&buffer[..len]).next().ok_or_else(malformed)?;
        if kind == NLMSG_ERROR {
            check(body)?;
        }
        read(body).ok_or_else(malformed)
    }

    fn send(&self, messages: &Messages) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.0, messages.as_bytes(), SendFlags::empty(), &kernel)?;
        Ok(())
    }
}

/// Walks the messages of one datagram: their types and bodies, up to the first that is malformed.
pub(super) fn parse(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
        let body = rest.get(HEADER_LEN..len)?;
        rest = rest.get(len.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// The errno at the start of an `NLMSG_ERROR` body; zero is an acknowledgement.
fn check(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(negated) => Err(io::Error::from_raw_os_error(negated.wrapping_neg())),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink error without a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn message_carries_its_length_and_padded_attributes() {
        let mut messages = Messages::default();
        messages.message(16, NLM_F_REQUEST, &[9], |attributes| {
            attributes.name(1, "ab").nest(2, |inner| {
                inner.be32(3, 1);
            });
        });
        let bytes = messages.as_bytes();
        assert_eq!(bytes.len(), 16 + 4 + 8 + 12);
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()), 40);
        assert_eq!(&bytes[20..28], &[7, 0, 1, 0, b'a', b'b', 0, 0]);
        assert_eq!(&bytes[28..], &[12, 0, 2, 0x80, 8, 0, 3, 0, 0, 0, 0, 1]);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_always_ends(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&datagram).count() <= datagram.len() / HEADER_LEN + 1);
        }
    }
}
