//! Decides which destinations a function may reach.
//!
//! A pure decision over the address that will be dialled (names play no part) and what the host's kernel says of
//! it ([`Reach`]). The most specific rule wins; among equals what the user denied, then what the user allowed, then
//! Hearth's own protection. So `--allow-host 0.0.0.0/0` opens nothing protected, and
//! `--allow-host 127.0.0.1:5432` opens exactly that.

use super::HOST_ADDRESS;
use super::routes::Reach;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

/// What the user decided about the network of functions.
#[derive(Clone, Debug, Default)]
pub struct PolicyOptions {
    /// Whether functions reach other machines at all.
    pub internet: bool,
    /// Port of Hearth's endpoint: on any of the host's addresses it leads to Hearth.
    pub endpoint_port: u16,
    /// Destinations to open beyond the default.
    pub allow: Vec<AddressRule>,
    /// Destinations to close.
    pub deny: Vec<AddressRule>,
}

/// The rules in force.
#[derive(Clone, Debug)]
pub struct Policy(PolicyOptions);

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Give it to Hearth's endpoint.
    Endpoint,
    /// Dial this address.
    Dial(SocketAddrV4),
    /// Reset it, for this reason.
    Refuse(&'static str),
}

/// Never to be reached by default, with the reason.
/// https://www.iana.org/assignments/iana-ipv4-special-registry
const PROTECTED: [(AddressRule, &str); 9] = [
    (AddressRule::network([0, 0, 0, 0], 8), "not a destination"),
    (AddressRule::network([127, 0, 0, 0], 8), "the host's loopback"),
    (AddressRule::network([169, 254, 0, 0], 16), "link-local, where clouds keep the machine's credentials"),
    (AddressRule::network([224, 0, 0, 0], 4), "multicast"),
    (AddressRule::network([240, 0, 0, 0], 4), "reserved"),
    (AddressRule::network([255, 255, 255, 255], 32), "broadcast"),
    // Metadata services of Azure, Alibaba Cloud and Oracle Cloud that are not link-local.
    (AddressRule::network([168, 63, 129, 16], 32), "a cloud's metadata service"),
    (AddressRule::network([100, 100, 100, 200], 32), "a cloud's metadata service"),
    (AddressRule::network([192, 0, 0, 192], 32), "a cloud's metadata service"),
];

impl Policy {
    /// Puts the options in force.
    pub fn new(options: PolicyOptions) -> Self {
        Self(options)
    }

    /// Whether anything beyond Hearth's endpoint can be reached: what to say in [`super::NetSpec::internet`].
    pub fn reaches_outside(&self) -> bool {
        self.0.internet || !self.0.allow.is_empty()
    }

    /// Whether functions reach other machines at all.
    pub fn internet(&self) -> bool {
        self.0.internet
    }

    /// Decides about a connection to `destination`. `reach` is what the host's kernel says of the address that
    /// [`Policy::dialled`] gives.
    pub fn decide(&self, destination: SocketAddrV4, reach: Reach) -> Verdict {
        let named_host = *destination.ip() == HOST_ADDRESS;
        let destination = Self::dialled(destination);
        let is_endpoint = destination.port() == self.0.endpoint_port;
        if is_endpoint && (named_host || reach == Reach::Host) {
            return Verdict::Endpoint;
        }
        // (specificity, who says it, what): the greatest holds.
        let default = if self.0.internet { Ok(()) } else { Err("functions are kept off the network") };
        let mut decided = ((0, false), 0, default);
        let mut consider = |specificity, voice, says| {
            if (specificity, voice) >= (decided.0, decided.1) {
                decided = (specificity, voice, says);
            }
        };
        if let Some((specificity, reason)) = protection(*destination.ip(), reach) {
            consider(specificity, 0, Err(reason));
        }
        for rule in self.0.allow.iter().filter(|rule| rule.matches(destination)) {
            consider(rule.specificity(), 1, Ok(()));
        }
        for rule in self.0.deny.iter().filter(|rule| rule.matches(destination)) {
            consider(rule.specificity(), 2, Err("denied by configuration"));
        }
        match decided.2 {
            Ok(()) => Verdict::Dial(destination),
            Err(reason) => Verdict::Refuse(reason),
        }
    }

    /// The address that a connection to `destination` means to the host.
    pub fn dialled(destination: SocketAddrV4) -> SocketAddrV4 {
        match *destination.ip() {
            HOST_ADDRESS => SocketAddrV4::new(Ipv4Addr::LOCALHOST, destination.port()),
            _ => destination,
        }
    }
}

type Specificity = (u8, bool);

fn protection(address: Ipv4Addr, reach: Reach) -> Option<(Specificity, &'static str)> {
    let listed = PROTECTED
        .iter()
        .filter(|(rule, _)| rule.contains(address))
        .max_by_key(|(rule, _)| rule.specificity())
        .map(|(rule, reason)| (rule.specificity(), *reason));
    listed.or(match reach {
        Reach::Host => Some(((32, false), "an address of the host itself")),
        Reach::Many => Some(((32, false), "broadcast")),
        Reach::Remote | Reach::Unreachable => None,
    })
}

/// A set of destinations: `10.0.0.0/8`, `10.1.2.3`, `127.0.0.1:5432`, `10.0.0.0/8:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRule {
    network: Ipv4Addr,
    prefix_len: u8,
    port: Option<u16>,
}

impl AddressRule {
    const fn network([a, b, c, d]: [u8; 4], prefix_len: u8) -> Self {
        Self { network: Ipv4Addr::new(a, b, c, d), prefix_len, port: None }
    }

    fn matches(&self, destination: SocketAddrV4) -> bool {
        self.contains(*destination.ip()) && self.port.is_none_or(|port| port == destination.port())
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ u32::from(self.network)) & mask(self.prefix_len) == 0
    }

    fn specificity(&self) -> Specificity {
        (self.prefix_len, self.port.is_some())
    }
}

fn mask(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0)
}

/// Why a text is not an [`AddressRule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text}: {reason}; expected an IPv4 address or network with an optional port, like 10.0.0.0/8, 127.0.0.1:5432"
)]
pub struct ParseAddressRuleError {
    text: String,
    reason: &'static str,
}

impl FromStr for AddressRule {
    type Err = ParseAddressRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| ParseAddressRuleError { text: text.to_owned(), reason };
        if text.starts_with('[') || text.matches(':').count() > 1 {
            return Err(error("functions have no IPv6"));
        }
        let (network, port) = match text.split_once(':') {
            Some((network, port)) => (network, Some(port)),
            None => (text, None),
        };
        let port = port.map(|port| number(port).filter(|port| *port != 0).ok_or_else(|| error("not a port")));
        let (address, prefix_len) = match network.split_once('/') {
            Some((address, len)) => (address, number(len).filter(|len| *len <= 32)),
            None => (network, Some(32)),
        };
        let prefix_len = prefix_len.ok_or_else(|| error("the prefix length is not 0 to 32"))?;
        let network: Ipv4Addr = address.parse().map_err(|_| error("not an IPv4 address"))?;
        if u32::from(network) & !mask(prefix_len) != 0 {
            return Err(error("the address has bits beyond the prefix length"));
        }
        Ok(Self { network, prefix_len, port: port.transpose()? })
    }
}

/// A number in plain digits: no sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT_PORT: u16 = 4566;

    fn policy(internet: bool, allow: &[&str], deny: &[&str]) -> Policy {
        let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Policy::new(PolicyOptions {
            internet,
            endpoint_port: ENDPOINT_PORT,
            allow: rules(allow),
            deny: rules(deny),
        })
    }

    #[track_caller]
    fn check(policy: &Policy, destination: &str, reach: Reach, allowed: bool) {
        let verdict = policy.decide(destination.parse().unwrap(), reach);
        let dials = matches!(verdict, Verdict::Dial(_));
        assert_eq!(dials, allowed, "{destination} ({reach:?}): {verdict:?}");
    }

    #[test]
    fn protected_addresses_are_refused_and_the_rest_is_dialled() {
        let policy = policy(true, &[], &[]);
        for (destination, reach, allowed) in [
            ("127.0.0.1:80", Reach::Host, false),
            ("127.255.0.9:80", Reach::Host, false),
            ("0.0.0.0:80", Reach::Host, false),
            ("0.1.2.3:80", Reach::Unreachable, false),
            ("169.254.169.254:80", Reach::Remote, false),
            ("169.254.100.1:8080", Reach::Remote, false),
            ("169.254.100.2:5432", Reach::Host, false),
            ("224.0.0.251:80", Reach::Many, false),
            ("239.255.255.255:80", Reach::Remote, false),
            ("240.0.0.1:80", Reach::Remote, false),
            ("255.255.255.255:80", Reach::Many, false),
            ("10.0.0.255:80", Reach::Many, false),
            ("10.0.0.5:80", Reach::Host, false),
            ("168.63.129.16:80", Reach::Remote, false),
            ("100.100.100.200:80", Reach::Remote, false),
            ("10.0.0.6:80", Reach::Remote, true),
            ("128.0.0.1:443", Reach::Remote, true),
            ("93.184.215.14:4566", Reach::Remote, true),
        ] {
            check(&policy, destination, reach, allowed);
        }
    }

    #[test]
    fn endpoint_is_reached_on_every_address_of_the_host_even_without_internet() {
        for policy in [policy(true, &[], &["0.0.0.0/0"]), policy(false, &[], &[])] {
            for address in ["10.0.0.5:4566", "169.254.100.2:4566"] {
                assert_eq!(
                    policy.decide(address.parse().unwrap(), Reach::Host),
                    Verdict::Endpoint,
                    "{address}"
                );
            }
        }
    }

    #[test]
    fn most_specific_rule_wins_and_denial_wins_a_tie() {
        let host = Reach::Host;
        let remote = Reach::Remote;
        check(&policy(true, &["0.0.0.0/0"], &[]), "127.0.0.1:80", host, false);
        check(&policy(true, &["0.0.0.0/0"], &[]), "10.0.0.5:80", host, false);
        check(&policy(true, &["10.0.0.0/24"], &[]), "10.0.0.5:80", host, false);
        check(&policy(true, &["10.0.0.5"], &[]), "10.0.0.5:80", host, true);
        check(&policy(true, &["10.0.0.5:80"], &[]), "10.0.0.5:81", host, false);
        check(&policy(true, &["127.0.0.0/8"], &[]), "169.254.100.2:80", host, true);
        check(&policy(true, &["169.254.169.254"], &[]), "169.254.169.254:80", remote, true);
        check(&policy(true, &["10.1.0.0/16"], &["10.0.0.0/8"]), "10.1.2.3:80", remote, true);
        check(&policy(true, &["10.1.0.0/16"], &["10.0.0.0/8"]), "10.2.2.3:80", remote, false);
        check(&policy(true, &["10.0.0.0/8"], &["10.0.0.0/8"]), "10.1.2.3:80", remote, false);
        check(&policy(true, &["10.0.0.1:80"], &["10.0.0.1"]), "10.0.0.1:80", remote, true);
        check(&policy(false, &[], &[]), "10.0.0.1:80", remote, false);
        check(&policy(false, &["10.0.0.0/8"], &[]), "10.0.0.1:80", remote, true);
        check(&policy(false, &["10.0.0.0/8"], &[]), "11.0.0.1:80", remote, false);
    }

    #[test]
    fn allowed_port_of_the_host_is_dialled_on_its_loopback() {
        let policy = policy(true, &["127.0.0.1:5432"], &[]);
        let destination = "169.254.100.2:5432".parse().unwrap();
        assert_eq!(policy.decide(destination, Reach::Host), Verdict::Dial("127.0.0.1:5432".parse().unwrap()));
        check(&policy, "169.254.100.2:5433", Reach::Host, false);
    }

    #[test]
    fn rules_parse_or_say_why_not() {
        for text in ["10.0.0.0/8", "10.1.2.3", "127.0.0.1:5432", "10.0.0.0/8:443", "0.0.0.0/0"] {
            assert!(text.parse::<AddressRule>().is_ok(), "{text}");
        }
        for (text, reason) in [
            ("", "not an IPv4 address"),
            ("localhost:5432", "not an IPv4 address"),
            ("10.0.0.0/33", "the prefix length is not 0 to 32"),
            ("10.0.0.0/+8", "the prefix length is not 0 to 32"),
            ("10.0.0.1/8", "the address has bits beyond the prefix length"),
            ("10.0.0.1:0", "not a port"),
            ("10.0.0.1:65536", "not a port"),
            ("10.0.0.1:", "not a port"),
            ("::1", "functions have no IPv6"),
            ("[::1]:80", "functions have no IPv6"),
        ] {
            assert_eq!(text.parse::<AddressRule>().unwrap_err().reason, reason, "{text}");
        }
    }
}
