//! Where messages go that were received too often, and which queues may send theirs here.

use std::fmt;

use serde_json::Value;
use wire::Error;

use crate::address::Address;
use crate::error::invalid_value;
use crate::limits::{RECEIVE_COUNT, REDRIVE_SOURCES_MAX};

/// A redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue.
    pub target: Address,
    /// How often a message is received before it goes there.
    pub receives_max: u32,
}

impl Redrive {
    /// Reads the JSON.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| invalid_value(text, "RedrivePolicy", reason);
        let Ok(Value::Object(policy)) = serde_json::from_str::<Value>(text) else {
            return Err(invalid("Redrive policy is not a valid JSON map."));
        };
        let arn = policy.get("deadLetterTargetArn").ok_or_else(|| {
            invalid("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
        })?;
        let count = policy.get("maxReceiveCount").ok_or_else(|| {
            invalid("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
        })?;
        if let Some(extra) =
            policy.keys().find(|key| !matches!(key.as_str(), "deadLetterTargetArn" | "maxReceiveCount"))
        {
            return Err(invalid(&format!("Unsupported attribute: {extra}.")));
        }
        let target = arn.as_str().and_then(Address::from_arn);
        let target = target.ok_or_else(|| invalid("Invalid value for deadLetterTargetArn."))?;
        // Consoles and older tools write the number as text.
        let number = count.as_i64().or_else(|| count.as_str()?.trim().parse().ok());
        let receives_max =
            number.filter(|count| RECEIVE_COUNT.contains(count)).and_then(|count| u32::try_from(count).ok());
        let receives_max = receives_max.ok_or_else(|| {
            invalid(&format!(
                "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
            ))
        })?;
        Ok(Self { target, receives_max })
    }
}

impl fmt::Display for Redrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, receives_max } = self;
        write!(f, r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{receives_max}}}"#, target.arn())
    }
}

/// A redrive-allow policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Every queue of the account and region.
    All,
    /// None.
    None,
    /// These.
    Queues(Vec<String>),
}

impl Allow {
    /// Reads the JSON.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| invalid_value(text, "RedriveAllowPolicy", reason);
        let Ok(Value::Object(policy)) = serde_json::from_str::<Value>(text) else {
            return Err(invalid("Redrive allow policy is not a valid JSON map."));
        };
        let sources = policy.get("sourceQueueArns");
        match (policy.get("redrivePermission").and_then(Value::as_str), sources) {
            (Some("allowAll"), None) => Ok(Self::All),
            (Some("denyAll"), None) => Ok(Self::None),
            (Some("byQueue"), Some(Value::Array(arns)))
                if (1..=REDRIVE_SOURCES_MAX).contains(&arns.len()) =>
            {
                let arns = arns
                    .iter()
                    .map(|arn| arn.as_str().and_then(Address::from_arn).map(|address| address.arn()));
                arns.collect::<Option<_>>()
                    .map(Self::Queues)
                    .ok_or_else(|| invalid("Invalid value for sourceQueueArns."))
            }
            (Some("byQueue"), _) => Err(invalid("sourceQueueArns must list from 1 to 10 queues.")),
            (Some("allowAll" | "denyAll"), Some(_)) => {
                Err(invalid("sourceQueueArns can only be specified when redrivePermission is byQueue."))
            }
            (None, _) => {
                Err(invalid("Redrive allow policy does not contain mandatory attribute: redrivePermission."))
            }
            (Some(_), _) => Err(invalid("Invalid value for redrivePermission.")),
        }
    }

    /// Whether the queue of this ARN may send its dead letters here.
    pub fn permits(&self, source: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Queues(arns) => arns.iter().any(|arn| arn == source),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(r#"{"redrivePermission":"allowAll"}"#),
            Self::None => f.write_str(r#"{"redrivePermission":"denyAll"}"#),
            Self::Queues(arns) => {
                let arns = serde_json::to_string(arns).map_err(|_| fmt::Error)?;
                write!(f, r#"{{"redrivePermission":"byQueue","sourceQueueArns":{arns}}}"#)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

    #[test]
    fn a_redrive_policy_is_read_and_written() {
        let check = |text: &str, expected: Result<u32, &str>| {
            let seen =
                Redrive::parse(text).map(|redrive| redrive.receives_max).map_err(|error| error.message);
            let expected = expected.map_err(|reason| {
                format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}")
            });
            assert_eq!(seen, expected);
        };
        let with = |count: &str| format!(r#"{{"deadLetterTargetArn": "{ARN}", "maxReceiveCount": {count}}}"#);
        check(&with("3"), Ok(3));
        check(&with("\"3\""), Ok(3));
        check(
            &with("0"),
            Err("Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."),
        );
        check(
            r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#,
            Err("Invalid value for deadLetterTargetArn."),
        );
        check("{}", Err("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."));
        check("[]", Err("Redrive policy is not a valid JSON map."));
        assert_eq!(
            Redrive::parse(&with("\"3\"")).unwrap().to_string(),
            format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":3}}"#)
        );
    }

    #[test]
    fn a_redrive_allow_policy_names_queues_or_none() {
        let by_queue = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{ARN}"]}}"#);
        assert!(Allow::parse(&by_queue).unwrap().permits(ARN));
        assert!(!Allow::parse(r#"{"redrivePermission":"denyAll"}"#).unwrap().permits(ARN));
        assert_eq!(Allow::parse(&by_queue).unwrap().to_string(), by_queue);
        for wrong in [r#"{"redrivePermission":"byQueue"}"#, r#"{"redrivePermission":"some"}"#, "{}", "x"] {
            assert!(Allow::parse(wrong).is_err(), "{wrong}");
        }
    }
}
