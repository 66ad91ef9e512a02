//! Attributes of queues: which there are, what they may say, and what they mean.

mod redrive;
mod settings;

use std::collections::BTreeMap;

use policy::Document;
use wire::Error;

use crate::error::{invalid_attribute_value, unknown_attribute};
use crate::limits;

pub use redrive::{Allow, Redrive};
pub use settings::{Settings, default_of};

/// What can be set, and where it belongs.
const SETTABLE: &[(&str, Kind)] = &[
    ("ContentBasedDeduplication", Kind::Fifo),
    ("DeduplicationScope", Kind::Fifo),
    ("DelaySeconds", Kind::Any),
    ("FifoQueue", Kind::Creation),
    ("FifoThroughputLimit", Kind::Fifo),
    ("KmsDataKeyReusePeriodSeconds", Kind::Any),
    ("KmsMasterKeyId", Kind::Any),
    ("MaximumMessageSize", Kind::Any),
    ("MessageRetentionPeriod", Kind::Any),
    ("Policy", Kind::Any),
    ("ReceiveMessageWaitTimeSeconds", Kind::Any),
    ("RedriveAllowPolicy", Kind::Any),
    ("RedrivePolicy", Kind::Any),
    ("SqsManagedSseEnabled", Kind::Any),
    ("VisibilityTimeout", Kind::Any),
];

/// What only SQS itself says.
pub const COMPUTED: &[&str] = &[
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Fifo,
    Creation,
}

/// Whether there is an attribute of this name.
pub fn is_known(name: &str) -> bool {
    name == "All" || COMPUTED.contains(&name) || SETTABLE.iter().any(|(known, _)| *known == name)
}

/// Checks attributes that are to be set on a queue, and puts them into the form in which they are kept. An empty value
/// takes back what was set.
pub fn check(
    given: BTreeMap<String, String>,
    fifo: bool,
    creating: bool,
) -> Result<BTreeMap<String, String>, Error> {
    if given.get("SqsManagedSseEnabled").is_some_and(|value| value == "true")
        && given.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty())
    {
        return Err(Error::new(
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        ));
    }
    given
        .into_iter()
        .map(|(name, value)| {
            let kind = SETTABLE.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
            match kind {
                Some(Kind::Any) => {}
                Some(Kind::Fifo) if fifo => {}
                Some(Kind::Creation) if fifo && creating => {}
                Some(Kind::Creation) if fifo && value == "true" => {}
                Some(Kind::Creation) if fifo => {
                    return Err(Error::new(
                        "InvalidAttributeValue",
                        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
                    ));
                }
                _ => return Err(unknown_attribute(&name)),
            }
            let value = normal(&name, value)?;
            Ok((name, value))
        })
        .collect()
}

fn normal(name: &str, value: String) -> Result<String, Error> {
    let number = |allowed: std::ops::RangeInclusive<i64>| match value.trim().parse::<i64>() {
        Ok(number) if allowed.contains(&number) => Ok(number.to_string()),
        _ => Err(invalid_attribute_value(name)),
    };
    let choice = |allowed: &[&str]| {
        if allowed.contains(&value.as_str()) { Ok(value.clone()) } else { Err(invalid_attribute_value(name)) }
    };
    match name {
        "DelaySeconds" => number(limits::DELAY_SECONDS),
        "KmsDataKeyReusePeriodSeconds" => number(limits::KMS_REUSE_SECONDS),
        "MaximumMessageSize" => number(limits::MESSAGE_BYTES),
        "MessageRetentionPeriod" => number(limits::RETENTION_SECONDS),
        "ReceiveMessageWaitTimeSeconds" => number(limits::WAIT_SECONDS),
        "VisibilityTimeout" => number(limits::VISIBILITY_SECONDS),
        "ContentBasedDeduplication" | "SqsManagedSseEnabled" | "FifoQueue" => choice(&["true", "false"])
            .or_else(|error| if value.is_empty() { Ok(String::new()) } else { Err(error) }),
        "DeduplicationScope" => choice(&["queue", "messageGroup"]),
        "FifoThroughputLimit" => choice(&["perQueue", "perMessageGroupId"]),
        _ if value.is_empty() => Ok(value),
        "Policy" => policy(value),
        "RedrivePolicy" => Redrive::parse(&value).map(|redrive| redrive.to_string()),
        "RedriveAllowPolicy" => Allow::parse(&value).map(|allow| allow.to_string()),
        _ => Ok(value),
    }
}

/// A policy is kept as it was written, if it can be evaluated.
fn policy(value: String) -> Result<String, Error> {
    match Document::parse(&value, policy::Kind::Resource) {
        Ok(_) => Ok(value),
        Err(why) => Err(Error::new(
            "InvalidAttributeValue",
            format!("Invalid value for the parameter Policy. Reason: {why}."),
        )),
    }
}

/// The attribute in which a queue that exists differs from what a creator asks for.
pub fn difference<'a>(
    asked: &'a BTreeMap<String, String>,
    existing: &BTreeMap<String, String>,
) -> Option<&'a str> {
    let differs = |(name, value): &(&String, &String)| {
        let kept = existing.get(*name).cloned().or_else(|| default_of(name));
        !value.is_empty() && kept.as_ref() != Some(*value)
    };
    asked.iter().find(differs).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(name: &str, value: &str, fifo: bool, expected: Result<&str, &str>) {
        let checked = check(BTreeMap::from([(name.to_owned(), value.to_owned())]), fifo, false);
        let seen = checked.map(|mut checked| checked.remove(name).unwrap()).map_err(|error| error.message);
        assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{name}={value}");
    }

    #[test]
    fn values_are_checked_in_awss_words() {
        check_one("VisibilityTimeout", "43200", false, Ok("43200"));
        let invalid = "Invalid value for the parameter VisibilityTimeout.";
        for wrong in ["43201", "-1", "", "x"] {
            check_one("VisibilityTimeout", wrong, false, Err(invalid));
        }
        check_one("MaximumMessageSize", "1048576", false, Ok("1048576"));
        check_one(
            "MaximumMessageSize",
            "1048577",
            false,
            Err("Invalid value for the parameter MaximumMessageSize."),
        );
        check_one(
            "ContentBasedDeduplication",
            "true",
            false,
            Err("Unknown Attribute ContentBasedDeduplication."),
        );
        check_one("ContentBasedDeduplication", "true", true, Ok("true"));
        check_one("FifoQueue", "true", false, Err("Unknown Attribute FifoQueue."));
        check_one("QueueArn", "x", false, Err("Unknown Attribute QueueArn."));
        check_one(
            "FifoQueue",
            "false",
            true,
            Err("Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."),
        );
        check_one("RedrivePolicy", "", false, Ok(""));
        check_one(
            "Policy",
            "{}",
            false,
            Err("Invalid value for the parameter Policy. Reason: Statement is missing."),
        );
    }
}
