//! The name server of a sandbox: Hearth's own names here, every other question to the host's resolvers.
//!
//! Queries are checked and forwarded unchanged, and so are answers; nothing is cached and the host's
//! `/etc/hosts` is never consulted. There is no IPv6 in a sandbox, so questions for IPv6 addresses are answered
//! empty at once instead of sending clients into a dead end.

mod forward;
mod message;

pub(super) use forward::{Resolvers, Transport, framed};
use message::{Query, Rcode, Refused};
use std::net::Ipv4Addr;

pub(super) use message::QUERY_LEN_MAX;

/// Answers the questions of every sandbox.
#[derive(Debug)]
pub(super) struct NameServer {
    own_names: OwnNames,
    resolvers: Resolvers,
    /// Without it only Hearth's own names are answered: a name server is also a way out.
    forwards: bool,
}

impl NameServer {
    pub(super) fn new(hostnames: &[String], resolvers: Resolvers, forwards: bool) -> Self {
        Self { own_names: OwnNames::new(hostnames), resolvers, forwards }
    }

    /// The answer to one packet; `None` when it deserves none.
    pub(super) async fn answer(&self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let query = match Query::parse(packet) {
            Ok(query) => query,
            Err(Refused::Ignore) => return None,
            Err(Refused::Answer(rcode)) => return Some(message::header_only(packet, rcode)),
        };
        if let Some(address) = self.own_names.address(query.name()) {
            return Some(query.answer_address(address));
        }
        if query.asks_for_ipv6() {
            return Some(query.answer_empty(Rcode::NoError));
        }
        if !self.forwards {
            return Some(query.answer_empty(Rcode::Refused));
        }
        let answer = self.resolvers.ask(&query, transport).await;
        Some(answer.unwrap_or_else(|| query.answer_empty(Rcode::ServerFailure)))
    }
}

/// The names that Hearth answers by itself.
#[derive(Debug)]
struct OwnNames {
    /// Lower case, without a final dot. They and everything below them are the sandbox's own loopback, where
    /// Hearth's endpoint is.
    loopback: Vec<String>,
}

/// What Lambda calls the environment itself.
const SANDBOX_NAME: &str = "sandbox.localdomain";
/// What people's functions already use for "the machine I run on".
const HOST_NAME: &str = "host.docker.internal";

impl OwnNames {
    fn new(hostnames: &[String]) -> Self {
        let mut loopback: Vec<_> =
            hostnames.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect();
        loopback.retain(|name| !name.is_empty());
        // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
        loopback.push("localhost".to_owned());
        Self { loopback }
    }

    fn address(&self, name: &str) -> Option<Ipv4Addr> {
        let below = |parent: &str| {
            name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if name == HOST_NAME {
            Some(super::HOST_ADDRESS)
        } else if name == SANDBOX_NAME || self.loopback.iter().any(|parent| below(parent)) {
            Some(Ipv4Addr::LOCALHOST)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_and_everything_below_the_hostname_are_answered() {
        let names = OwnNames::new(&["Hearth.Local.".to_owned()]);
        let loopback = Some(Ipv4Addr::LOCALHOST);
        for (name, address) in [
            ("sandbox.localdomain", loopback),
            ("hearth.local", loopback),
            ("abc.lambda-url.us-east-1.hearth.local", loopback),
            ("localhost", loopback),
            ("bucket.localhost", loopback),
            ("host.docker.internal", Some(super::super::HOST_ADDRESS)),
            ("nothearth.local", None),
            ("hearth.local.example.com", None),
            ("example.com", None),
            ("", None),
        ] {
            assert_eq!(names.address(name), address, "{name}");
        }
    }
}
