//! Which `Host` a request may name. A web page can point a name of its own at a loopback address (DNS rebinding);
//! it cannot make the browser send another `Host` than that name, so unknown names are refused.

use std::net::IpAddr;

use http::Uri;
use http::header::{HOST, HeaderMap};

/// The longest name that DNS has.
const NAME_LENGTH_MAX: usize = 255;

/// The names this gateway answers to, besides loopback ones and the address that a connection came in on.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    names: Vec<String>,
}

/// What a host means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The gateway itself.
    Here,
    /// What stands before one of our names, as in `lambda.us-east-1.localhost`.
    Beneath(&'a str),
    /// What stands before `localhost`, where that is not one of our names: only a site may answer there.
    BeneathLocalhost(&'a str),
}

impl<'a> Place<'a> {
    /// What stands before our name.
    pub(super) fn label(self) -> Option<&'a str> {
        match self {
            Self::Here => None,
            Self::Beneath(label) | Self::BeneathLocalhost(label) => Some(label),
        }
    }
}

/// Why a request's host was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostRefusal {
    /// None, several that differ, or one that is no host.
    Malformed,
    /// A name that is not ours.
    Foreign(String),
}

impl Hosts {
    /// Adds a name; its subdomains are ours too.
    pub(super) fn add(&mut self, name: &str) {
        self.names.push(name.trim_end_matches('.').to_ascii_lowercase());
    }

    /// Where a request is going; `local` is the address that its connection arrived at.
    pub(super) fn place<'a>(
        &self,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        local: IpAddr,
    ) -> Result<Place<'a>, HostRefusal> {
        let mut hosts = headers.get_all(HOST).into_iter();
        let header = match hosts.next() {
            Some(value) => Some(value.to_str().map_err(|_| HostRefusal::Malformed)?),
            None => None,
        };
        if hosts.next().is_some() {
            return Err(HostRefusal::Malformed);
        }
        let authority = uri.authority().map(http::uri::Authority::as_str);
        match (header, authority) {
            (None, None) => Err(HostRefusal::Malformed),
            (Some(host), None) | (None, Some(host)) => self.place_of(host, local),
            (Some(host), Some(authority)) => {
                self.place_of(authority, local)?;
                self.place_of(host, local)
            }
        }
    }

    fn place_of<'a>(&self, host: &'a str, local: IpAddr) -> Result<Place<'a>, HostRefusal> {
        let name = without_port(host).ok_or(HostRefusal::Malformed)?;
        // An address in `Host` is the one the client dialled: nobody's DNS had a say in it.
        if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
            let ours = address.is_loopback() || address.to_canonical() == local.to_canonical();
            return if ours { Ok(Place::Here) } else { Err(HostRefusal::Foreign(name.into())) };
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        for ours in self.names.iter().map(String::as_str).chain(["localhost"]) {
            if name.eq_ignore_ascii_case(ours) {
                return Ok(Place::Here);
            }
        }
        for ours in &self.names {
            if let Some(label) = beneath(name, ours) {
                return Ok(Place::Beneath(label));
            }
        }
        match beneath(name, "localhost") {
            Some(label) if name.len() <= NAME_LENGTH_MAX => Ok(Place::BeneathLocalhost(label)),
            _ => Err(HostRefusal::Foreign(name.chars().take(NAME_LENGTH_MAX).collect())),
        }
    }
}

/// `a.b` of `a.b.name`.
fn beneath<'a>(name: &'a str, ours: &str) -> Option<&'a str> {
    let dot = name.len().checked_sub(ours.len() + 1)?;
    let (label, rest) = name.split_at_checked(dot)?;
    let ours_follows = rest.strip_prefix('.')?.eq_ignore_ascii_case(ours);
    (ours_follows && !label.is_empty()).then_some(label)
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`; `None` when it is none of these.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => host.split_at(end + 1),
        None => host.find(':').map_or((host, ""), |colon| host.split_at(colon)),
    };
    let port_is_number = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name_is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']'));
    (!name.is_empty() && port_is_number && name_is_plain).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> Result<Place<'_>, HostRefusal> {
        let mut hosts = Hosts::default();
        hosts.add("Hearth.Example");
        hosts.place_of(host, "10.0.0.5".parse().unwrap())
    }

    #[test]
    fn loopback_our_names_and_the_dialled_address_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST:4566",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:4566",
            "[::1]",
            "10.0.0.5:80",
            "hearth.example",
            "hearth.example.:4566",
            "[::ffff:10.0.0.5]:80",
        ] {
            assert_eq!(place(host), Ok(Place::Here), "{host}");
        }
        for (host, label) in
            [("lambda.us-east-1.hearth.example:4566", "lambda.us-east-1"), ("x.HEARTH.example", "x")]
        {
            assert_eq!(place(host), Ok(Place::Beneath(label)), "{host}");
        }
        assert_eq!(place("a.b.localhost:4566"), Ok(Place::BeneathLocalhost("a.b")));
    }

    #[test]
    fn every_other_host_is_refused() {
        for host in [
            "evil.example",
            "hearth.example.evil.example",
            "evilhearth.example",
            ".hearth.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.6",
            "0.0.0.0",
        ] {
            assert!(matches!(place(host), Err(HostRefusal::Foreign(_))), "{host}");
        }
        for host in ["", ":80", "a b", "localhost:80:80", "localhost:x", "user@localhost", "[::1]x", "é"] {
            assert_eq!(place(host), Err(HostRefusal::Malformed), "{host}");
        }
    }

    #[test]
    fn both_the_host_and_an_absolute_target_must_be_ours() {
        let hosts = Hosts::default();
        let local = "127.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        let ask = |uri: &'static str, headers: &HeaderMap| {
            hosts.place(&Uri::from_static(uri), headers, local).map(|place| place == Place::Here)
        };
        assert_eq!(ask("/", &headers), Err(HostRefusal::Malformed));
        assert_eq!(ask("http://localhost/", &headers), Ok(true));
        headers.insert(HOST, "localhost".parse().unwrap());
        assert_eq!(ask("/", &headers), Ok(true));
        assert!(ask("http://evil.example/", &headers).is_err());
        headers.append(HOST, "localhost".parse().unwrap());
        assert_eq!(ask("/", &headers), Err(HostRefusal::Malformed));
    }
}
