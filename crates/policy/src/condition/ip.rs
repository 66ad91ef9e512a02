//! Ranges of addresses: `203.0.113.0/24`, `2001:db8::/32`, or one address.

use std::net::IpAddr;

/// A range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: IpAddr,
    prefix_bits: u32,
}

impl Range {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let bits = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
        (prefix_bits <= bits).then_some(Self { first, prefix_bits })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 address that came over IPv6 is an IPv4 address.
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix_bits).unwrap_or(0);
                (u32::from(first) ^ u32::from(address)) & mask == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix_bits).unwrap_or(0);
                (u128::from(first) ^ u128::from(address)) & mask == 0
            }
            _ => false,
        }
    }
}
