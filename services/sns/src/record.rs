//! What is stored of topics and subscriptions.

use std::collections::BTreeMap;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Scan, Snapshot, Table};
use uuid::Uuid;

use crate::arn::TopicArn;

/// Topics by where they live and what they are called.
pub(crate) static TOPICS: Table<(Scope, String), TopicRecord> = Table::of(Domain::Events, "sns.topics");

/// Subscriptions by their topic and their id.
pub(crate) static SUBSCRIPTIONS: Table<(Scope, String, Uuid), SubscriptionRecord> =
    Table::of(Domain::Events, "sns.subscriptions");

/// One topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopicRecord {
    /// Its attributes as the caller set them, checked.
    pub(crate) attributes: TopicAttributes,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// How many subscriptions were ever removed from it.
    pub(crate) subscriptions_deleted: u64,
}

/// What can be set of a topic. Documents are kept as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopicAttributes {
    /// `Policy`: none means that of the topic's owner.
    pub(crate) policy: Option<String>,
    /// `DisplayName`
    pub(crate) display_name: String,
    /// `DeliveryPolicy`
    pub(crate) delivery_policy: Option<String>,
    /// `KmsMasterKeyId`
    pub(crate) kms_master_key_id: Option<String>,
    /// `SignatureVersion`: which hash signs messages.
    pub(crate) signature_version: Option<SignatureVersion>,
    /// `TracingConfig`
    pub(crate) tracing: Option<String>,
    /// `MaximumMessageSize`, in bytes.
    pub(crate) message_bytes_max: Option<usize>,
    /// Set for FIFO topics.
    pub(crate) fifo: Option<Fifo>,
}

/// Which hash a signature is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SignatureVersion {
    /// SHA-1
    One,
    /// SHA-256
    Two,
}

/// What FIFO topics have and others have not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    /// `ContentBasedDeduplication`
    pub(crate) content_based_deduplication: bool,
    /// `FifoThroughputScope`: whether deduplication looks at each group by itself.
    pub(crate) throughput_per_group: bool,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubscriptionRecord {
    /// Whose it is.
    pub(crate) owner: String,
    /// How it is delivered.
    pub(crate) protocol: Protocol,
    /// Where to.
    pub(crate) endpoint: String,
    /// Set until its endpoint has agreed.
    pub(crate) pending: Option<Pending>,
    /// The token that confirmed it: sent again, it is answered again.
    #[serde(default)]
    pub(crate) confirmed_with: Option<String>,
    /// Whether whoever confirmed it was the topic's owner.
    pub(crate) confirmed_by_owner: bool,
    /// Whether only the owner may end it.
    pub(crate) authenticate_on_unsubscribe: bool,
    /// What can be set of it.
    pub(crate) attributes: SubscriptionAttributes,
}

/// A subscription that waits for its endpoint's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What proves that the endpoint got the question.
    pub(crate) token: String,
    /// When it was asked.
    pub(crate) since: Timestamp,
}

/// What can be set of a subscription. Documents are kept as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubscriptionAttributes {
    /// `RawMessageDelivery`
    pub(crate) raw: bool,
    /// `FilterPolicy`
    pub(crate) filter_policy: Option<String>,
    /// `FilterPolicyScope`: whether the filter looks at the body and not at the attributes.
    pub(crate) filter_body: bool,
    /// `RedrivePolicy`
    pub(crate) redrive_policy: Option<String>,
    /// `DeliveryPolicy`
    pub(crate) delivery_policy: Option<String>,
}

/// How messages get to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Http,
    Https,
    Email,
    EmailJson,
    Sms,
    Sqs,
    Lambda,
}

impl Protocol {
    const ALL: [Self; 7] =
        [Self::Http, Self::Https, Self::Email, Self::EmailJson, Self::Sms, Self::Sqs, Self::Lambda];

    /// AWS's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Sms => "sms",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
        }
    }

    /// The protocol of a name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Whether an endpoint is asked before it gets messages.
    pub(crate) fn asks_first(self) -> bool {
        matches!(self, Self::Http | Self::Https | Self::Email | Self::EmailJson)
    }
}

impl TopicAttributes {
    /// How large a message and its attributes may be together, in bytes.
    pub(crate) fn message_bytes_max(&self) -> usize {
        self.message_bytes_max.unwrap_or(crate::limits::MESSAGE_BYTES_DEFAULT)
    }
}

impl SubscriptionRecord {
    /// Whether nobody agreed in time: then it is as good as gone.
    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.since.plus(crate::limits::PENDING_MAX) <= now)
    }
}

/// The subscriptions of a topic that are there.
pub(crate) fn subscriptions_of(
    snapshot: &Snapshot<'_>,
    topic: &TopicArn,
    now: Timestamp,
) -> Result<Vec<(Uuid, SubscriptionRecord)>, store::Error> {
    let all = snapshot.scan(&SUBSCRIPTIONS, &Scan::prefix((&topic.scope, topic.name.as_str())))?;
    let there = all.into_iter().filter(|(_, record)| !record.has_lapsed(now));
    Ok(there.map(|((_, _, id), record)| (id, record)).collect())
}
