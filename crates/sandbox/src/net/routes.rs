//! Asks the host's kernel where a packet to an address would go.
//!
//! This is how the policy knows every address of the host itself: the kernel's own routing answers, at the moment
//! of the dial, for addresses on any device, added a moment ago, or local only by a route. A list kept beside it
//! could be stale. The question costs a few microseconds and no privilege.

use super::netlink::{AF_INET, Messages, NLM_F_REQUEST, Socket};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

/// Where the host would send a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To itself.
    Host,
    /// To one other machine.
    Remote,
    /// To many machines: broadcast, multicast, anycast.
    Many,
    /// Nowhere.
    Unreachable,
}

/// The routing of the network namespace in which this was opened.
#[derive(Debug)]
pub(super) struct Routes(Mutex<Socket>);

impl Routes {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self(Mutex::new(Socket::route()?)))
    }

    pub(super) fn reach(&self, address: Ipv4Addr) -> io::Result<Reach> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match socket.ask(&request(address), |route| route.get(ROUTE_TYPE_OFFSET).copied()) {
            Ok(libc::RTN_LOCAL) => Ok(Reach::Host),
            Ok(libc::RTN_UNICAST) => Ok(Reach::Remote),
            Ok(libc::RTN_BROADCAST | libc::RTN_MULTICAST | libc::RTN_ANYCAST) => Ok(Reach::Many),
            Ok(_) => Ok(Reach::Unreachable),
            Err(error) if is_unreachable(&error) => Ok(Reach::Unreachable),
            Err(error) => Err(error),
        }
    }
}

/// `rtm_type` in `struct rtmsg`.
const ROUTE_TYPE_OFFSET: usize = 7;

fn request(address: Ipv4Addr) -> Messages {
    // struct rtmsg: family, prefix length of the destination, and ten bytes that do not matter in a question.
    let header = [AF_INET, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut messages = Messages::default();
    messages.message(libc::RTM_GETROUTE, NLM_F_REQUEST, &header, |attributes| {
        attributes.bytes(libc::RTA_DST, &address.octets());
    });
    messages
}

/// The kernel's answers for "no route", "blackhole", "prohibit".
fn is_unreachable(error: &io::Error) -> bool {
    let unreachable = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EINVAL, libc::EACCES];
    error.raw_os_error().is_some_and(|errno| unreachable.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_host_and_multicast_is_many() {
        let routes = Routes::open().unwrap();
        assert_eq!(routes.reach(Ipv4Addr::LOCALHOST).unwrap(), Reach::Host);
        assert_eq!(routes.reach(Ipv4Addr::new(127, 9, 9, 9)).unwrap(), Reach::Host);
        assert_ne!(routes.reach(Ipv4Addr::new(224, 0, 0, 1)).unwrap(), Reach::Remote);
    }
}
