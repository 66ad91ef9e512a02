//! Makes a fresh network namespace into a sandbox's network, from inside it.
//!
//! Blocking and single-threaded on purpose: it runs in the sandbox's child between clone and exec of anything,
//! while that child still has privilege over the namespace. About 0.1 ms.

use super::netlink::{
    AF_INET, AF_UNSPEC, Messages, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, Socket,
};
use super::rules::{self, Capture};
use super::{RUNTIME_API_PORT, SANDBOX_ADDRESS, sockets};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::{fmt, io};

/// Where captured connections arrive inside the sandbox.
const PROXY_PORT: u16 = 15001;
/// Without packet rules only what a wildcard listener catches can be proxied: the web's two ports, and DNS over
/// TCP.
const WEB_PORTS: [u16; 3] = [DNS_PORT, 80, 443];
const DNS_PORT: u16 = 53;
/// Connections that may wait to be accepted; the Runtime API has one client per process.
const RUNTIME_API_BACKLOG: i32 = 128;
const BACKLOG: i32 = 1024;

/// What a sandbox's network should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetSpec {
    /// Port of Hearth's endpoint on 127.0.0.1, the same inside as outside.
    pub endpoint_port: u16,
    /// Whether anything beyond the endpoint can be asked for ([`super::Policy::reaches_outside`]). Without it there is
    /// no route, and connecting fails at once with "network is unreachable".
    pub internet: bool,
}

/// How connections to the outside are caught, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interception {
    /// Every TCP connection, without connection tracking.
    Transparent,
    /// Every TCP connection, through connection tracking: slower, same reach.
    Redirected(Degraded),
    /// Only TCP ports 80 and 443.
    WebPorts(Degraded),
    /// None: asked for when there is no reason, else all that this machine grants.
    Closed(Option<Degraded>),
}

impl fmt::Display for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transparent => f.write_str("transparent proxy"),
            Self::Redirected(why) => write!(f, "proxy by redirection ({why})"),
            Self::WebPorts(why) => write!(f, "proxy for ports 80 and 443 only ({why})"),
            Self::Closed(Some(why)) => write!(f, "no outside network ({why})"),
            Self::Closed(None) => f.write_str("no outside network"),
        }
    }
}

/// Why interception is not the best one: the step that this machine refused, and the error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    step: Step,
    errno: i32,
}

impl Degraded {
    fn new(step: Step, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.describe(), io::Error::from_raw_os_error(self.errno))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    TransparentSocket,
    TproxyRules,
    RedirectRules,
    Route,
}

impl Step {
    fn describe(self) -> &'static str {
        match self {
            Self::TransparentSocket => "set IP_TRANSPARENT",
            Self::TproxyRules => "load nf_tables rules with tproxy",
            Self::RedirectRules => "load nf_tables rules with redirect",
            Self::Route => "make every address local",
        }
    }
}

/// The sockets of one sandbox. They work from any namespace, and closing them removes the sandbox's network.
#[derive(Debug)]
pub struct NetSockets {
    pub(super) runtime_api: OwnedFd,
    pub(super) endpoint: OwnedFd,
    pub(super) dns: OwnedFd,
    /// One listener for everything, or one per port, or none.
    pub(super) proxies: Vec<OwnedFd>,
    pub(super) interception: Interception,
}

impl NetSockets {
    /// How connections to the outside are caught on this machine.
    pub fn interception(&self) -> Interception {
        self.interception
    }

    /// Splits into descriptors to pass over a Unix socket, each with what it is.
    pub fn into_fds(self) -> Vec<(NetFd, OwnedFd)> {
        let mut fds = vec![
            (NetFd::RuntimeApi, self.runtime_api),
            (NetFd::Endpoint, self.endpoint),
            (NetFd::Dns(self.interception), self.dns),
        ];
        fds.extend(self.proxies.into_iter().map(|proxy| (NetFd::Proxy, proxy)));
        fds
    }

    /// Puts together what [`NetSockets::into_fds`] split, in any order.
    pub fn from_fds(fds: impl IntoIterator<Item = (NetFd, OwnedFd)>) -> io::Result<Self> {
        let (mut runtime_api, mut endpoint, mut dns, mut proxies) = (None, None, None, Vec::new());
        for (kind, fd) in fds {
            match kind {
                NetFd::RuntimeApi => runtime_api = Some(fd),
                NetFd::Endpoint => endpoint = Some(fd),
                NetFd::Dns(interception) => dns = Some((fd, interception)),
                NetFd::Proxy => proxies.push(fd),
            }
        }
        let incomplete =
            || io::Error::new(io::ErrorKind::InvalidData, "a sandbox's sockets are not complete");
        let (dns, interception) = dns.ok_or_else(incomplete)?;
        Ok(Self {
            runtime_api: runtime_api.ok_or_else(incomplete)?,
            endpoint: endpoint.ok_or_else(incomplete)?,
            dns,
            proxies,
            interception,
        })
    }

    /// The most descriptors that [`NetSockets::into_fds`] gives.
    pub const FDS_MAX: usize = 3 + WEB_PORTS.len();
}

/// What one of the descriptors of [`NetSockets`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetFd {
    /// Listens at 169.254.100.1:9001, and on the loopback.
    RuntimeApi,
    /// Listens at Hearth's endpoint on 127.0.0.1.
    Endpoint,
    /// Receives DNS queries. Every sandbox has exactly one, so it also carries how the outside is reached.
    Dns(Interception),
    /// Accepts connections to the outside.
    Proxy,
}

/// Makes the network of a sandbox in the (fresh) network namespace of this thread.
///
/// What the machine does not grant is left out step by step and reported in [`NetSockets::interception`]; an
/// error means that not even the Runtime API can be had.
pub fn set_up(spec: &NetSpec) -> io::Result<NetSockets> {
    set_up_with(spec, &[Capture::Tproxy, Capture::Redirect])
}

/// [`set_up`] with the ways of capturing to try, in order.
pub(super) fn set_up_with(spec: &NetSpec, captures: &[Capture]) -> io::Result<NetSockets> {
    if spec.endpoint_port == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the endpoint's port inside must be the one outside",
        ));
    }
    let netlink = Socket::route()?;
    netlink.execute(&loopback_up())?;
    // At every address that the sandbox has: SDKs take credentials from nowhere but the loopback.
    let runtime_api = sockets::listen(
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, RUNTIME_API_PORT),
        RUNTIME_API_BACKLOG,
        false,
    )?;
    let endpoint =
        sockets::listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, spec.endpoint_port), BACKLOG, false)?;
    let outside =
        if spec.internet { Outside::open(&netlink, spec, captures)? } else { Outside::closed(None)? };
    Ok(NetSockets {
        runtime_api,
        endpoint,
        dns: outside.dns,
        proxies: outside.proxies,
        interception: outside.interception,
    })
}

/// The part of the sockets that depends on what the machine grants.
struct Outside {
    dns: OwnedFd,
    proxies: Vec<OwnedFd>,
    interception: Interception,
}

impl Outside {
    fn open(netlink: &Socket, spec: &NetSpec, captures: &[Capture]) -> io::Result<Self> {
        if let Err(error) = netlink.execute(&every_address_is_local()) {
            return Self::closed(Some(Degraded::new(Step::Route, &error)));
        }
        // The endpoint's own port on 127.0.0.1 would make the wildcard listener's bind fail.
        let proxy_port = if spec.endpoint_port == PROXY_PORT { PROXY_PORT + 1 } else { PROXY_PORT };
        // Of several refusals the first is the one to report: it names what the best way lacks.
        let mut why = None;
        for &capture in captures {
            match Self::captured(capture, proxy_port, why) {
                Ok(outside) => return Ok(outside),
                Err(refusal) => why = why.or(Some(refusal)),
            }
        }
        let no_rules = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        Self::web_ports(spec, why.unwrap_or_else(|| Degraded::new(Step::RedirectRules, &no_rules)))
    }

    fn captured(capture: Capture, proxy_port: u16, why: Option<Degraded>) -> Result<Self, Degraded> {
        let transparent = capture == Capture::Tproxy;
        let (socket_step, rules_step) = match capture {
            Capture::Tproxy => (Step::TransparentSocket, Step::TproxyRules),
            Capture::Redirect => (Step::RedirectRules, Step::RedirectRules),
        };
        let refused = |step| move |error: io::Error| Degraded::new(step, &error);
        let dns = sockets::bind_udp(any(DNS_PORT), transparent).map_err(refused(socket_step))?;
        let proxy = sockets::listen(any(proxy_port), BACKLOG, transparent).map_err(refused(socket_step))?;
        rules::load(capture, proxy_port).map_err(refused(rules_step))?;
        let interception = match (capture, why) {
            (Capture::Tproxy, _) => Interception::Transparent,
            (Capture::Redirect, Some(why)) => Interception::Redirected(why),
            (Capture::Redirect, None) => {
                // Only a caller that did not try the transparent way comes here.
                let untried = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
                Interception::Redirected(Degraded::new(Step::TproxyRules, &untried))
            }
        };
        Ok(Self { dns, proxies: vec![proxy], interception })
    }

    fn web_ports(spec: &NetSpec, why: Degraded) -> io::Result<Self> {
        let proxies: io::Result<_> = WEB_PORTS
            .into_iter()
            .filter(|port| *port != spec.endpoint_port)
            .map(|port| sockets::listen(any(port), BACKLOG, false))
            .collect();
        let dns = sockets::bind_udp(any(DNS_PORT), false)?;
        Ok(Self { dns, proxies: proxies?, interception: Interception::WebPorts(why) })
    }

    /// Names that Hearth itself answers resolve even without an outside.
    fn closed(why: Option<Degraded>) -> io::Result<Self> {
        let dns = sockets::bind_udp(any(DNS_PORT), false)?;
        Ok(Self { dns, proxies: Vec::new(), interception: Interception::Closed(why) })
    }
}

fn any(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)
}

/// The loopback device is the first of every namespace.
const LOOPBACK_INDEX: u32 = 1;
const RT_SCOPE_HOST: u8 = 254;
const RT_TABLE_LOCAL: u8 = 255;
const RTPROT_BOOT: u8 = 3;

fn loopback_up() -> Messages {
    let up = (libc::IFF_UP as u32).to_ne_bytes();
    let index = LOOPBACK_INDEX.to_ne_bytes();
    // struct ifinfomsg: family, padding, type, index, flags, which flags to change.
    let link = [[AF_UNSPEC, 0, 0, 0], index, up, up].concat();
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let address = [[AF_INET, 32, 0, RT_SCOPE_HOST], index].concat();
    let mut messages = Messages::default();
    messages.message(libc::RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, &link, |_| {});
    let create = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    messages.message(libc::RTM_NEWADDR, create, &address, |attributes| {
        attributes.bytes(libc::IFA_LOCAL, &SANDBOX_ADDRESS.octets());
        attributes.bytes(libc::IFA_ADDRESS, &SANDBOX_ADDRESS.octets());
    });
    messages
}

/// `ip route add local 0.0.0.0/0 dev lo src 169.254.100.1`
fn every_address_is_local() -> Messages {
    // struct rtmsg: family, prefix lengths of destination and source, tos, table, protocol, scope, type, flags.
    let [a, b, c, d] = 0_u32.to_ne_bytes();
    let route = [AF_INET, 0, 0, 0, RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_HOST, libc::RTN_LOCAL, a, b, c, d];
    let mut messages = Messages::default();
    let create = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    messages.message(libc::RTM_NEWROUTE, create, &route, |attributes| {
        attributes.ne32(libc::RTA_OIF, LOOPBACK_INDEX);
        attributes.bytes(libc::RTA_PREFSRC, &SANDBOX_ADDRESS.octets());
    });
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(interception: Interception) -> NetSockets {
        let open = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        NetSockets { runtime_api: open(), endpoint: open(), dns: open(), proxies: vec![open()], interception }
    }

    #[test]
    fn sockets_come_back_as_they_were_split() {
        let why = Degraded { step: Step::TproxyRules, errno: libc::ENOENT };
        for interception in [
            Interception::Transparent,
            Interception::Redirected(why),
            Interception::WebPorts(why),
            Interception::Closed(Some(why)),
            Interception::Closed(None),
        ] {
            let back = NetSockets::from_fds(sockets(interception).into_fds()).unwrap();
            assert_eq!(back.interception(), interception);
            assert_eq!(back.proxies.len(), 1);
        }
    }

    #[test]
    fn unknown_endpoint_port_is_refused_before_anything_changes() {
        let error = set_up(&NetSpec { endpoint_port: 0, internet: true }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn incomplete_sockets_are_refused() {
        for missing in 0..3 {
            let mut fds = sockets(Interception::Transparent).into_fds();
            fds.remove(missing);
            assert!(NetSockets::from_fds(fds).is_err(), "without {missing}");
        }
    }

    #[test]
    fn reason_reads_as_a_sentence_for_the_banner() {
        let why = Degraded { step: Step::TproxyRules, errno: libc::ENOENT };
        assert_eq!(
            Interception::Redirected(why).to_string(),
            "proxy by redirection (load nf_tables rules with tproxy: No such file or directory (os error 2))"
        );
    }
}
