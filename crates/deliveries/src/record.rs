//! What is delivered, under which rules, and how it is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Domain, Raw, Table};
use uuid::Uuid;

/// Something to be delivered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The target's ARN, or its URL. Its deliveries share a lane.
    pub target: String,
    /// Names the event: it stays the same over all attempts.
    pub id: Uuid,
    /// What is delivered.
    pub payload: Bytes,
    /// What the target's handler wants to know besides: [`Message`] for `sqs` and `sns`.
    pub details: Value,
    /// Why it is sent.
    pub purpose: Purpose,
    /// Who sends it.
    pub sender: Sender,
    /// When to try again, and for how long.
    pub policy: Policy,
    /// Where it goes when it is given up.
    pub dead_letter: Option<DeadLetter>,
    /// The first attempt is not made before.
    pub not_before: Option<Timestamp>,
}

impl Delivery {
    /// A delivery by the usual rules, without details or dead-letter target.
    pub fn new(target: impl Into<String>, payload: impl Into<Bytes>, sender: Sender) -> Self {
        Self {
            target: target.into(),
            id: Uuid::new_v4(),
            payload: payload.into(),
            details: Value::Null,
            purpose: Purpose::Event,
            sender,
            policy: Policy::default(),
            dead_letter: None,
            not_before: None,
        }
    }

    /// The same, with what the target's handler wants to know.
    ///
    /// # Panics
    /// If the details are not JSON, such as a map whose keys are no text.
    #[must_use]
    pub fn with(self, details: &impl Serialize) -> Self {
        let details = serde_json::to_value(details).expect("details are plain data");
        Self { details, ..self }
    }
}

/// Why a delivery is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Something happened.
    #[default]
    Event,
    /// A result is reported to a destination.
    Destination,
    /// Another delivery was given up.
    DeadLetter,
}

/// A delivery that was given up.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// Where it should have gone.
    pub target: String,
    /// Names the event.
    pub id: Uuid,
    /// Why it was sent.
    pub purpose: Purpose,
    /// Who sent it.
    pub sender: Sender,
    /// What went wrong.
    pub why: String,
    /// Whether another delivery takes its place.
    pub followed: bool,
}

/// On whose behalf: what the target's policy is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sender {
    /// Somebody who was asked for permission when the delivery was accepted.
    Authorised {
        /// For which resource.
        source_arn: String,
    },
    /// A service in its own name, such as `sns.amazonaws.com`.
    Service {
        /// Its principal.
        principal: String,
        /// `aws:SourceArn`: for which resource.
        source_arn: String,
        /// `aws:SourceAccount`: whose it is. Some ARNs, such as buckets', do not say it.
        source_account: String,
    },
    /// A role, such as a function's.
    Role {
        /// Its ARN.
        arn: String,
        /// For which resource.
        source_arn: String,
    },
}

impl Sender {
    /// A service in its own name, for a resource whose ARN names its account.
    pub fn service(principal: &str, source_arn: impl Into<String>) -> Self {
        let source_arn = source_arn.into();
        let source_account = source_arn.split(':').nth(4).unwrap_or_default().to_owned();
        Self::Service { principal: principal.to_owned(), source_arn, source_account }
    }

    /// For which resource.
    pub fn source_arn(&self) -> &str {
        match self {
            Self::Authorised { source_arn }
            | Self::Service { source_arn, .. }
            | Self::Role { source_arn, .. } => source_arn,
        }
    }
}

/// The details of a delivery to a queue or a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message {
    /// `MessageAttributes`
    pub attributes: BTreeMap<String, Attribute>,
    /// `Subject`, of a topic's message.
    pub subject: Option<String>,
    /// `AWSTraceHeader`
    pub trace_header: Option<String>,
    /// `MessageGroupId`
    pub group_id: Option<String>,
    /// `MessageDeduplicationId`
    pub deduplication_id: Option<String>,
}

/// The details of a delivery to a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Event {
    /// `X-Amzn-Trace-Id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// The tenant it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `String`, `Number`, `Binary`, or one of them with a suffix.
    pub data_type: String,
    /// The value; of a binary one, in base64.
    pub value: String,
}

impl Attribute {
    /// A text.
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".to_owned(), value: value.into() }
    }

    /// The value of a binary attribute.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.value).ok()
    }

    /// A number, as text.
    pub fn number(value: impl ToString) -> Self {
        Self { data_type: "Number".to_owned(), value: value.to_string() }
    }
}

/// Where a delivery goes that was given up: with the same payload, and these details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The target's ARN.
    pub target: String,
    /// What its handler wants to know.
    #[serde(default)]
    pub details: Value,
    /// Whether its message's attributes say what went wrong, as EventBridge's and Scheduler's do.
    #[serde(default)]
    pub explained: bool,
}

/// When to try again, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Attempts in all.
    pub attempts_max: u32,
    /// The intervals between them.
    pub backoff: Backoff,
    /// How old it may be when it is attempted, in seconds.
    pub age_seconds_max: u64,
}

impl Policy {
    /// For functions, which decide themselves at each attempt whether there is another. This only says how to wait for
    /// a platform that has trouble.
    pub const FUNCTIONS_OWN: Self = Self {
        attempts_max: u32::MAX,
        backoff: Backoff { first_ms: 1_000, longest_ms: 300_000 },
        age_seconds_max: 7 * 24 * 3600,
    };

    pub(crate) fn age_max(&self) -> Duration {
        Duration::from_secs(self.age_seconds_max)
    }
}

impl Default for Policy {
    /// Some ten attempts over half an hour: long enough for a restart of the target, too short to pile up.
    fn default() -> Self {
        Self { attempts_max: 12, backoff: Backoff::default(), age_seconds_max: 6 * 3600 }
    }
}

/// Intervals that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first, in milliseconds.
    pub first_ms: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

impl Default for Backoff {
    /// From one second to five minutes, as Lambda's asynchronous invocations do.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
    fn default() -> Self {
        Self { first_ms: 1_000, longest_ms: 300_000 }
    }
}

impl Backoff {
    /// The interval after so many attempts in vain.
    pub fn after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(63);
        let factor = 1_u64 << doublings;
        Duration::from_millis(self.first_ms.saturating_mul(factor).min(self.longest_ms))
    }
}

/// A delivery as its handler sees it.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The target's ARN, or its URL.
    pub target: String,
    /// Names the event.
    pub id: Uuid,
    /// What is delivered.
    pub payload: Bytes,
    /// What the sender added for this kind of target.
    pub details: Value,
    /// Why it is sent.
    pub purpose: Purpose,
    /// Who sends it.
    pub sender: Sender,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Attempts that were made before and counted.
    pub attempts: u32,
}

impl From<Delivery> for Parcel {
    /// A first attempt outside of the pipeline, by who sees to the rest itself.
    fn from(delivery: Delivery) -> Self {
        Self {
            target: delivery.target,
            id: delivery.id,
            payload: delivery.payload,
            details: delivery.details,
            purpose: delivery.purpose,
            sender: delivery.sender,
            accepted: Timestamp::default(),
            attempts: 0,
        }
    }
}

impl Parcel {
    /// The details, as the type that this kind of target has. Absent ones are the default.
    ///
    /// # Errors
    /// Why they are not of this type.
    pub fn details<T: for<'de> Deserialize<'de> + Default>(&self) -> Result<T, String> {
        if self.details.is_null() {
            return Ok(T::default());
        }
        T::deserialize(&self.details).map_err(|error| error.to_string())
    }
}

/// What is stored of a delivery, beside its payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: Uuid,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) details: Value,
    #[serde(default)]
    pub(crate) purpose: Purpose,
    pub(crate) sender: Sender,
    pub(crate) policy: Policy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter: Option<DeadLetter>,
    pub(crate) accepted: Timestamp,
    /// Attempts that were made and counted.
    pub(crate) attempts: u32,
    /// Times that it could not be tried.
    pub(crate) setbacks: u32,
}

/// When a delivery is due, and its number: unique, and in the order of acceptance.
pub(crate) type Turn = (Timestamp, u64);

/// What waits, by target and turn.
pub(crate) fn items(domain: Domain) -> Table<(String, Timestamp, u64), Record> {
    Table::of(domain, "deliveries.items")
}

/// Payloads, by the delivery's number: a delivery that is put off does not move them.
pub(crate) fn payloads(domain: Domain) -> Table<u64, Raw> {
    Table::of(domain, "deliveries.payloads")
}

/// `lambda` of a function's ARN, `https` of such a URL; of anything else, all of it.
pub(crate) fn kind(target: &str) -> &str {
    match target.strip_prefix("arn:") {
        Some(rest) => rest.split(':').nth(1).unwrap_or(target),
        None => target.split_once("://").map_or(target, |(scheme, _)| scheme),
    }
}
