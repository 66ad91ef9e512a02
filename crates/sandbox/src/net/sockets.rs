//! The socket calls that no safe library wraps: transparent binding, and the address a packet was really sent to.

use super::netlink::AF_INET;
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// `SO_ORIGINAL_DST` of linux/netfilter_ipv4.h.
const SO_ORIGINAL_DST: c_int = 80;

/// A listening TCP socket, close-on-exec and non-blocking. `TCP_NODELAY` passes to what it accepts.
pub(super) fn listen(address: SocketAddrV4, backlog: i32, transparent: bool) -> io::Result<OwnedFd> {
    let socket = open(SocketType::STREAM)?;
    if transparent {
        set_ip_option(&socket, libc::IP_TRANSPARENT)?;
    }
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, backlog)?;
    Ok(socket)
}

/// A TCP socket of this thread's network that is connected to nothing yet, close-on-exec and non-blocking.
pub(crate) fn unconnected() -> io::Result<OwnedFd> {
    let socket = open(SocketType::STREAM)?;
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

/// A UDP socket that tells where each packet was sent to.
pub(super) fn bind_udp(address: SocketAddrV4, transparent: bool) -> io::Result<OwnedFd> {
    let socket = open(SocketType::DGRAM)?;
    if transparent {
        set_ip_option(&socket, libc::IP_TRANSPARENT)?;
    }
    set_ip_option(&socket, libc::IP_PKTINFO)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

fn open(kind: SocketType) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::INET, kind, flags, None)?)
}

fn set_ip_option(socket: &OwnedFd, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the pointer and the length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            option,
            (&raw const on).cast::<c_void>(),
            length_of::<c_int>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where a redirected connection was going, from connection tracking; an error when it was not redirected.
pub(super) fn original_destination(socket: impl AsFd) -> io::Result<SocketAddrV4> {
    // SAFETY: `sockaddr_in` is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    let mut len = length_of::<libc::sockaddr_in>();
    // SAFETY: the pointers describe `address` and `len`, which outlive the call; the kernel writes at most `len`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            SO_ORIGINAL_DST,
            (&raw mut address).cast::<c_void>(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(from_raw(&address)) } else { Err(io::Error::last_os_error()) }
}

/// A datagram's length, who sent it, and the address it was sent to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) len: usize,
    pub(super) sender: SocketAddrV4,
    pub(super) sent_to: Ipv4Addr,
}

/// Receives one datagram on a socket of [`bind_udp`]. A datagram longer than the buffer is an error of kind
/// `InvalidData`, and is gone.
pub(super) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = ControlBuffer::default();
    // SAFETY: plain numbers and pointers, for which zero is a value.
    let mut sender: libc::sockaddr_in = unsafe { zeroed() };
    let mut parts = [libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }];
    let mut message = header(&mut sender, &mut parts, &mut control);
    // SAFETY: every pointer in `message` was made from a live local above, with its own length.
    let len = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let lost = || io::Error::new(io::ErrorKind::InvalidData, "datagram cut short");
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(lost());
    }
    // SAFETY: `message` was just filled by the kernel; `CMSG_FIRSTHDR` gives null or a header inside `control`.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message).as_ref() }.ok_or_else(lost)?;
    if (first.cmsg_level, first.cmsg_type) != (libc::IPPROTO_IP, libc::IP_PKTINFO) {
        return Err(lost());
    }
    // SAFETY: the kernel puts an `in_pktinfo` into a message of this type; it may be unaligned.
    let info = unsafe { libc::CMSG_DATA(first).cast::<libc::in_pktinfo>().read_unaligned() };
    Ok(Received { len, sender: from_raw(&sender), sent_to: from_network(info.ipi_addr) })
}

/// Sends one datagram with the source address `from`, so that a client sees its server answer.
pub(super) fn send(socket: impl AsFd, bytes: &[u8], to: SocketAddrV4, from: Ipv4Addr) -> io::Result<()> {
    let mut control = ControlBuffer::default();
    let mut receiver = to_raw(to);
    let mut parts = [libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }];
    let mut message = header(&mut receiver, &mut parts, &mut control);
    // SAFETY: plain numbers, for which zero is a value.
    let mut info: libc::in_pktinfo = unsafe { zeroed() };
    info.ipi_spec_dst.s_addr = u32::from(from).to_be();
    // SAFETY: `control` holds CMSG_SPACE(in_pktinfo) bytes and is aligned for a header, so the header and the
    // data written here are inside it; `sendmsg` only reads what the pointers describe.
    let sent = unsafe {
        message.msg_controllen = libc::CMSG_SPACE(length_of::<libc::in_pktinfo>()) as _;
        let first = libc::CMSG_FIRSTHDR(&raw const message);
        (*first).cmsg_level = libc::IPPROTO_IP;
        (*first).cmsg_type = libc::IP_PKTINFO;
        (*first).cmsg_len = libc::CMSG_LEN(length_of::<libc::in_pktinfo>()) as _;
        libc::CMSG_DATA(first).cast::<libc::in_pktinfo>().write_unaligned(info);
        libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Room for one `in_pktinfo` control message (28 bytes on 64-bit), aligned as its header wants.
#[repr(C, align(8))]
struct ControlBuffer([u8; 64]);

impl Default for ControlBuffer {
    fn default() -> Self {
        Self([0; 64])
    }
}

/// A message header over buffers that the caller keeps alive.
fn header(
    address: &mut libc::sockaddr_in,
    parts: &mut [libc::iovec; 1],
    control: &mut ControlBuffer,
) -> libc::msghdr {
    // SAFETY: plain numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = (&raw mut *address).cast();
    message.msg_namelen = length_of::<libc::sockaddr_in>();
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control.0) as _;
    message
}

fn from_raw(address: &libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(from_network(address.sin_addr), u16::from_be(address.sin_port))
}

fn from_network(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from_be(address.s_addr))
}

fn to_raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: u16::from(AF_INET),
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).expect("the kernel's structures are small")
}
