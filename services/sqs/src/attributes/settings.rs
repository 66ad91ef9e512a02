//! What a queue's attributes mean, read once.

use std::collections::BTreeMap;
use std::time::Duration;

use policy::{Document, Kind};

use super::{Allow, Redrive};
use crate::limits;

/// The value of an attribute that was not set; nothing for those that are absent then.
pub fn default_of(name: &str) -> Option<String> {
    let number = match name {
        "DelaySeconds" | "ReceiveMessageWaitTimeSeconds" => 0,
        "MaximumMessageSize" => *limits::MESSAGE_BYTES.end(),
        "MessageRetentionPeriod" => limits::RETENTION_SECONDS_DEFAULT,
        "VisibilityTimeout" => limits::VISIBILITY_SECONDS_DEFAULT,
        "KmsDataKeyReusePeriodSeconds" => limits::KMS_REUSE_SECONDS_DEFAULT,
        "ContentBasedDeduplication" => return Some("false".to_owned()),
        "DeduplicationScope" => return Some("queue".to_owned()),
        "FifoThroughputLimit" => return Some("perQueue".to_owned()),
        "SqsManagedSseEnabled" => return Some("true".to_owned()),
        _ => return None,
    };
    Some(number.to_string())
}

/// A queue's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a received message is invisible.
    pub visibility: Duration,
    /// How long a sent message is.
    pub delay: Duration,
    /// How long a receiver waits for a message.
    pub wait: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// How long a message may be, in bytes.
    pub message_bytes_max: usize,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
    /// Which queues may send theirs here.
    pub allow: Allow,
    /// Whom the queue lets in besides its account.
    pub policy: Option<Document>,
    /// Whether a message without a deduplication id has its body for one.
    pub deduplicates_by_content: bool,
    /// Whether equal deduplication ids of different groups are different.
    pub deduplicates_by_group: bool,
}

impl Settings {
    /// Reads attributes that were checked when they were set.
    pub fn of(attributes: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| {
            let set = attributes.get(name).filter(|value| !value.is_empty()).cloned();
            set.or_else(|| default_of(name)).unwrap_or_default()
        };
        let number = |name: &str| text(name).parse::<u64>().unwrap_or_default();
        let seconds = |name: &str| Duration::from_secs(number(name));
        let given = |name: &str| attributes.get(name).filter(|value| !value.is_empty());
        Self {
            visibility: seconds("VisibilityTimeout"),
            delay: seconds("DelaySeconds"),
            wait: seconds("ReceiveMessageWaitTimeSeconds"),
            retention: seconds("MessageRetentionPeriod"),
            message_bytes_max: usize::try_from(number("MaximumMessageSize")).unwrap_or(usize::MAX),
            redrive: given("RedrivePolicy").and_then(|policy| Redrive::parse(policy).ok()),
            allow: given("RedriveAllowPolicy")
                .and_then(|policy| Allow::parse(policy).ok())
                .unwrap_or(Allow::All),
            policy: given("Policy").and_then(|policy| Document::parse(policy, Kind::Resource).ok()),
            deduplicates_by_content: text("ContentBasedDeduplication") == "true",
            deduplicates_by_group: text("DeduplicationScope") == "messageGroup",
        }
    }
}
