//! The network of a sandbox: one loopback device, and everything beyond it decided by the server.
//!
//! A sandbox's network namespace has no link to anywhere. [`set_up`] runs inside it, in the sandbox's
//! single-threaded child, and makes every IPv4 address local, loads one constant set of rules, and opens the
//! listening sockets. Their descriptors travel to the server, where [`serve`] answers them on its own event
//! loop: Hearth's endpoint, DNS, and a transparent TCP proxy that dials on the function's behalf when
//! [`Policy`] says so. Nothing is left on the host when the descriptors close; it is the same with and without
//! root, because all privilege needed is over the new namespace.
//!
//! What this module leaves to others: making the namespace, joining the sandbox's user namespace afterwards (so
//! that function code has no privilege over the rules), and what is spoken on the accepted connections.

use std::net::Ipv4Addr;

mod dns;
mod netlink;
mod policy;
mod proxy;
mod routes;
mod rules;
mod serve;
mod set_up;
mod sockets;
#[cfg(test)]
mod tests;

pub use policy::{AddressRule, ParseAddressRuleError, Policy, PolicyOptions, Verdict};
pub use routes::Reach;
pub use serve::{
    CONNECTIONS_MAX, ConnectionPermit, EndpointConnection, Network, NetworkOptions, SandboxNetwork, Services,
    serve,
};
pub use set_up::{Degraded, Interception, NetFd, NetSockets, NetSpec, set_up};
pub(crate) use sockets::unconnected;

/// The sandbox's own address, on its loopback device: source of its connections, home of the Runtime API and
/// of its name server (`nameserver 169.254.100.1` in its `resolv.conf`).
pub const SANDBOX_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 100, 1);
/// Stands for the host's own loopback, as far as the policy opens it: `host.docker.internal` resolves to it.
pub const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 100, 2);
/// Port of the Runtime API on [`SANDBOX_ADDRESS`], as on Lambda.
pub const RUNTIME_API_PORT: u16 = 9001;

/// Names one sandbox for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SandboxId(pub u64);
