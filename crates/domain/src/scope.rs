//! Where a resource lives: every name is unique only within an account and a region.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A 12-digit AWS account id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account(Arc<str>);

impl Account {
    /// The account of a caller whose access key id is not itself an account id.
    pub const DEFAULT: &'static str = "000000000000";

    /// Accepts exactly twelve ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(text.into()))
    }

    /// The id as it appears in an ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Account {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

/// A region name. Any well-formed name is accepted, so that tests may use regions of their own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Region(Arc<str>);

impl Region {
    /// The region of a request that names none.
    pub const DEFAULT: &'static str = "us-east-1";

    /// Accepts 1 to 32 lower-case letters, digits and hyphens: whatever can stand in an ARN and a host name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len());
        let legal =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (fits && legal).then(|| Self(text.into()))
    }

    /// The name as it appears in an ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN partition the region belongs to.
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

/// An account in a region: the prefix of almost every key in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The owner.
    pub account: Account,
    /// The region.
    pub region: Region,
}

impl Scope {
    /// `arn:<partition>:<service>:<region>:<account>:<resource>`.
    pub fn arn(&self, service: &str, resource: impl fmt::Display) -> String {
        let Self { account, region } = self;
        format!("arn:{}:{service}:{region}:{account}:{resource}", region.partition())
    }

    /// The ARN of a resource of a service without regions, such as IAM.
    pub fn global_arn(&self, service: &str, resource: impl fmt::Display) -> String {
        format!("arn:{}:{service}::{}:{resource}", self.region.partition(), self.account)
    }
}

macro_rules! text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text!(Account);
text!(Region);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits() {
        assert!(Account::parse("123456789012").is_some());
        for wrong in ["", "12345678901", "1234567890123", "12345678901a", "AKIAIOSFODNN7EXAMPLE"] {
            assert!(Account::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn arns_carry_partition_region_and_account() {
        let scope = Scope { account: Account::default(), region: Region::parse("cn-north-1").unwrap() };
        assert_eq!(scope.arn("lambda", "function:f"), "arn:aws-cn:lambda:cn-north-1:000000000000:function:f");
        assert_eq!(scope.global_arn("iam", "role/r"), "arn:aws-cn:iam::000000000000:role/r");
    }
}
