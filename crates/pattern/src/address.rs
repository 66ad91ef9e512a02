//! IP addresses and ranges of them.

use std::net::IpAddr;

/// The addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// `10.0.0.0/24`. As with AWS, a range begins at the address that is given, and has more than one address.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let bits: i32 =
            bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let bits =
            u32::try_from(bits).map_err(|_| "Malformed CIDR, mask bits must not be negative".to_owned())?;
        let first: IpAddr = address.parse().map_err(|_| format!("Nonstandard IP address: {address}"))?;
        let last = match first {
            IpAddr::V4(_) if bits > 31 => return Err("IPv4 mask bits must be < 32".to_owned()),
            IpAddr::V6(_) if bits > 127 => return Err("IPv6 mask bits must be < 128".to_owned()),
            IpAddr::V4(address) => IpAddr::from((address.to_bits() | (u32::MAX >> bits)).to_be_bytes()),
            IpAddr::V6(address) => IpAddr::from((address.to_bits() | (u128::MAX >> bits)).to_be_bytes()),
        };
        Ok(Self { first, last })
    }

    /// Whether a text is an address in the range.
    pub(crate) fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| {
            address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
        })
    }
}
