//! Naming a function: by name, partial ARN or full ARN, with or without a qualifier.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Account, Region, Version};

/// A function's own name: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionName(Arc<str>);

impl FunctionName {
    /// The longest name.  <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>
    pub const LENGTH_MAX: usize = 64;

    /// Checks the characters, not the length: AWS answers the two mistakes differently.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (!text.is_empty() && legal).then(|| Self(text.into()))
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which version of a function is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Qualifier {
    /// The version that updates change.
    Latest,
    /// A published, immutable version.
    Version(u64),
    /// A name that points to one or two versions.
    Alias(String),
}

impl Qualifier {
    /// What a request's text means, or nothing if it has characters that no qualifier has.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "$LATEST" {
            return Some(Self::Latest);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self::Version);
        }
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (legal && (1..=128).contains(&text.len())).then(|| Self::Alias(text.to_owned()))
    }
}

impl From<Version> for Qualifier {
    fn from(version: Version) -> Self {
        match version {
            Version::Latest => Self::Latest,
            Version::Number(number) => Self::Version(number),
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(number) => write!(f, "{number}"),
            Self::Alias(name) => f.write_str(name),
        }
    }
}

/// What a caller wrote in the place of a function's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// The function.
    pub name: FunctionName,
    /// The region of a full ARN.
    pub region: Option<Region>,
    /// The account of a full or partial ARN.
    pub account: Option<Account>,
    /// The qualifier after the name.
    pub qualifier: Option<Qualifier>,
}

/// The text names no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a function name or ARN")]
pub struct InvalidFunctionRef(String);

impl FromStr for FunctionRef {
    type Err = InvalidFunctionRef;

    /// Accepts `name`, `name:qualifier`, `account:function:name[:qualifier]`, `function:name[:qualifier]` and
    /// `arn:<partition>:lambda:<region>:<account>:function:name[:qualifier]`.
    fn from_str(text: &str) -> Result<Self, InvalidFunctionRef> {
        let invalid = || InvalidFunctionRef(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..]
                if partition.starts_with("aws") =>
            {
                (Some(*region), Some(*account), rest)
            }
            [account, "function", rest @ ..] if account.len() == 12 => (None, Some(*account), rest),
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(invalid()),
        };
        Ok(Self {
            name: FunctionName::parse(name).ok_or_else(invalid)?,
            region: region.map(|region| Region::parse(region).ok_or_else(invalid)).transpose()?,
            account: account.map(|account| Account::parse(account).ok_or_else(invalid)).transpose()?,
            qualifier: qualifier
                .map(|qualifier| Qualifier::parse(qualifier).ok_or_else(invalid))
                .transpose()?,
        })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, region: Option<&str>, account: Option<&str>, qualifier: Option<&str>) {
        let parsed: FunctionRef = text.parse().unwrap();
        assert_eq!(parsed.name.as_str(), name, "{text}");
        assert_eq!(parsed.region.as_ref().map(Region::as_str), region, "{text}");
        assert_eq!(parsed.account.as_ref().map(Account::as_str), account, "{text}");
        assert_eq!(parsed.qualifier.map(|qualifier| qualifier.to_string()).as_deref(), qualifier, "{text}");
    }

    #[test]
    fn every_documented_form_is_accepted() {
        check("f", "f", None, None, None);
        check("f:live", "f", None, None, Some("live"));
        check("f:$LATEST", "f", None, None, Some("$LATEST"));
        check("function:f:3", "f", None, None, Some("3"));
        check("123456789012:function:f", "f", None, Some("123456789012"), None);
        check("123456789012:function:f:7", "f", None, Some("123456789012"), Some("7"));
        check(
            "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST",
            "f",
            Some("eu-west-1"),
            Some("123456789012"),
            Some("$LATEST"),
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            ":",
            "f:",
            "a b",
            "f:a:b",
            "arn:aws:sqs:r:123456789012:q",
            "arn:aws:lambda:r:1:function:f",
            "f:a b",
        ] {
            assert!(wrong.parse::<FunctionRef>().is_err(), "{wrong}");
        }
    }
}
