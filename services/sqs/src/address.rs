//! What a queue is called: its name, its URL, its ARN.

use domain::{Account, Region, Scope};
use wire::Error;

use crate::error::{invalid_address, invalid_parameter};
use crate::limits::NAME_CHARS_MAX;

/// How the names of FIFO queues end.
pub const FIFO_SUFFIX: &str = ".fifo";

/// A queue's place among all: its scope and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Account and region.
    pub scope: Scope,
    /// Unique there.
    pub name: String,
}

impl Address {
    /// `http://<host>:<port>/<account>/<name>`: the same from the host and from inside a function.
    pub fn url(&self, base_url: &str) -> String {
        format!("{base_url}/{}/{}", self.scope.account, self.name)
    }

    /// `arn:aws:sqs:<region>:<account>:<name>`
    pub fn arn(&self) -> String {
        self.scope.arn("sqs", &self.name)
    }

    /// Reads a URL, whatever its host: account and name are the last parts of the path. The region is the caller's,
    /// unless the host is one of AWS's and says it.
    pub fn from_url(url: &str, caller: &Scope) -> Result<Self, Error> {
        let invalid = || invalid_address(url);
        let (host, path) = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').ok_or_else(invalid)?,
            None => ("", url.strip_prefix('/').ok_or_else(invalid)?),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let account = Account::parse(account).ok_or_else(invalid)?;
        if !is_name(name) {
            return Err(invalid());
        }
        let region = region_in(host).unwrap_or_else(|| caller.region.clone());
        Ok(Self { scope: Scope { account, region }, name: name.to_owned() })
    }

    /// Reads an ARN; nothing if it is none of a queue.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let [prefix, _, "sqs", region, account, name] = parts[..] else { return None };
        let scope = Scope { account: Account::parse(account)?, region: Region::parse(region)? };
        (prefix == "arn" && is_name(name)).then(|| Self { scope, name: name.to_owned() })
    }
}

/// `sqs.us-east-2.amazonaws.com`, `us-east-2.queue.amazonaws.com`, `sqs.us-east-2.localhost:4566`.
fn region_in(host: &str) -> Option<Region> {
    let host = host.split(':').next()?;
    let mut labels = host.split('.');
    match (labels.next()?, labels.next()?) {
        ("sqs", region) if region.contains('-') => Region::parse(region),
        (region, "queue") if region.contains('-') => Region::parse(region),
        _ => None,
    }
}

/// Whether a queue may be called so.
pub fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !stem.is_empty() && name.len() <= NAME_CHARS_MAX && stem.bytes().all(legal)
}

/// Checks a new queue's name.
pub fn check_name(name: &str, fifo: bool) -> Result<(), Error> {
    match (is_name(name), fifo, name.ends_with(FIFO_SUFFIX)) {
        (true, true, true) | (true, false, false) => Ok(()),
        (_, true, _) => Err(invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
             with .fifo suffix and be 1 to 80 in length.",
        )),
        (_, false, _) => Err(invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_every_form_name_a_queue() {
        let check = |url: &str, expected: Option<&str>| {
            let address = Address::from_url(url, &Scope::default());
            assert_eq!(address.ok().map(|address| address.arn()).as_deref(), expected, "{url}");
        };
        let here = "arn:aws:sqs:us-east-1:000000000000:q";
        let there = "arn:aws:sqs:eu-west-1:000000000000:q";
        check("http://localhost:4566/000000000000/q", Some(here));
        check("/000000000000/q", Some(here));
        check("http://127.0.0.1:4566/000000000000/q/", Some(here));
        check("https://sqs.eu-west-1.amazonaws.com/000000000000/q", Some(there));
        check("https://eu-west-1.queue.amazonaws.com/000000000000/q", Some(there));
        for wrong in [
            "q",
            "",
            "http://localhost:4566/q",
            "http://localhost/1/q",
            "http://h/000000000000/a b",
            "http://h",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn names_are_of_the_queues_kind() {
        for (name, fifo, fits) in [
            ("q", false, true),
            ("a-b_C9", false, true),
            ("q.fifo", true, true),
            ("q.fifo", false, false),
            ("q", true, false),
            (".fifo", true, false),
            ("a.b", false, false),
            ("", false, false),
        ] {
            assert_eq!(check_name(name, fifo).is_ok(), fits, "{name} {fifo}");
        }
        assert!(check_name(&"q".repeat(80), false).is_ok() && check_name(&"q".repeat(81), false).is_err());
    }

    #[test]
    fn an_arn_is_read_back() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        assert_eq!(Address::from_arn(arn).map(|address| address.arn()).as_deref(), Some(arn));
        for wrong in ["dummy", "arn:aws:sns:us-east-1:000000000000:q", "arn:aws:sqs:us-east-1:1:q"] {
            assert_eq!(Address::from_arn(wrong), None, "{wrong}");
        }
    }
}
