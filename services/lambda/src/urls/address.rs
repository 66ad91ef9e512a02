//! Where URLs are: hosts of their own beneath the server's name, and for clients that cannot resolve those, a path.

use std::net::IpAddr;

use domain::Region;

/// The label after a URL's id in its host.
const LABEL: &str = "lambda-url";
/// What URLs in the form of a path begin with.
const PATH: &str = "/_hearth/urls/";
/// The port that a base URL without one means.
const HTTP_PORT: u16 = 80;

/// What URLs are made of: the name and the port of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// What a request's host or path says of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A host: the id and the region.
    Host {
        /// The URL's id.
        id: &'a str,
        /// The region in the name.
        region: &'a str,
    },
    /// A path: the id, and the path beneath it.
    Path {
        /// The URL's id.
        id: &'a str,
        /// What the function sees.
        rest: &'a str,
    },
}

impl Address {
    /// The address of a server that calls itself `http://<host>:<port>`.
    pub fn of(base_url: &str) -> Self {
        let authority = base_url.split_once("://").map_or(base_url, |(_, rest)| rest).trim_end_matches('/');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(HTTP_PORT)),
            _ => (authority, HTTP_PORT),
        };
        Self { host: host.to_owned(), port }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `FunctionUrl`. An address has no names beneath it, except that of loopback, whose name is `localhost`.
    pub fn url(&self, id: &str, region: &Region) -> String {
        match self.name() {
            Some(_) => format!("http://{}:{}/", self.domain_name(id, region), self.port),
            None => format!("http://{}:{}{PATH}{id}/", self.host, self.port),
        }
    }

    /// The host of a URL, as the function sees it even when it was called by a path.
    pub fn domain_name(&self, id: &str, region: &Region) -> String {
        format!("{id}.{LABEL}.{region}.{}", self.name().unwrap_or("localhost"))
    }

    fn name(&self) -> Option<&str> {
        match self.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.is_loopback().then_some("localhost"),
            Err(_) => Some(&self.host),
        }
    }
}

/// Which URL a request names by what stands before the server's name in its host, or by its path.
pub fn named<'a>(host_label: Option<&'a str>, path: &'a str) -> Option<Named<'a>> {
    if let Some((id, rest)) = host_label.and_then(|label| label.split_once('.')) {
        let (label, region) = rest.split_once('.')?;
        return (label.eq_ignore_ascii_case(LABEL)).then_some(Named::Host { id, region });
    }
    let beneath = path.strip_prefix(PATH)?;
    let end = beneath.find('/').unwrap_or(beneath.len());
    let (id, rest) = beneath.split_at(end);
    Some(Named::Path { id, rest: if rest.is_empty() { "/" } else { rest } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_where_hosts_can_be() {
        let url = |base| Address::of(base).url("abc", &Region::default());
        assert_eq!(url("http://127.0.0.1:4566"), "http://abc.lambda-url.us-east-1.localhost:4566/");
        assert_eq!(url("http://[::1]:4566"), "http://abc.lambda-url.us-east-1.localhost:4566/");
        assert_eq!(url("http://hearth.example:80"), "http://abc.lambda-url.us-east-1.hearth.example:80/");
        assert_eq!(url("http://10.0.0.5:4566"), "http://10.0.0.5:4566/_hearth/urls/abc/");
        assert_eq!(url("http://[fd00::1]:4566"), "http://[fd00::1]:4566/_hearth/urls/abc/");
    }

    #[test]
    fn a_request_names_a_url_by_host_or_by_path() {
        let host = |label| named(Some(label), "/_hearth/urls/x");
        assert_eq!(host("abc.lambda-url.eu-west-1"), Some(Named::Host { id: "abc", region: "eu-west-1" }));
        assert_eq!(host("lambda.us-east-1"), None);
        assert_eq!(host("abc.lambda-url"), None);
        let path = |path| named(None, path);
        assert_eq!(path("/_hearth/urls/abc"), Some(Named::Path { id: "abc", rest: "/" }));
        assert_eq!(path("/_hearth/urls/abc/"), Some(Named::Path { id: "abc", rest: "/" }));
        assert_eq!(path("/_hearth/urls/abc/x/y"), Some(Named::Path { id: "abc", rest: "/x/y" }));
        assert_eq!(path("/_hearth/health"), None);
        assert_eq!(path("/2015-03-31/functions"), None);
    }
}
