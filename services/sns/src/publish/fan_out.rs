//! From one message to a delivery for each subscription that wants it.

use store::Tx;
use uuid::Uuid;
use wire::Context;

use super::fifo::{self, Place};
use super::message::Message;
use crate::arn::{SubscriptionArn, TopicArn};
use crate::error::Refusal;
use crate::parcel::{Content, Parcel};
use crate::record::{Pending, Protocol, SignatureVersion, SubscriptionRecord, TopicRecord, subscriptions_of};
use crate::subscriptions::dead_letter_queue;
use crate::{Sns, filter};

/// What the publisher is told.
pub(super) struct Accepted {
    pub(super) message_id: Uuid,
    pub(super) sequence: Option<String>,
}

/// What a message came from.
pub(super) struct Cause {
    /// `X-Amzn-Trace-Id`
    pub(super) trace_header: Option<String>,
}

impl From<&Context> for Cause {
    fn from(cx: &Context) -> Self {
        let header = cx.headers.get("x-amzn-trace-id").and_then(|header| header.to_str().ok());
        Self { trace_header: header.map(str::to_owned) }
    }
}

/// Accepts a message for a topic, with every delivery that follows from it.
pub(super) fn accept(
    sns: &Sns,
    tx: &mut Tx<'_>,
    cause: Cause,
    arn: &TopicArn,
    topic: &TopicRecord,
    message: Message,
) -> Result<Accepted, Refusal> {
    let now = sns.now();
    let message_id = Uuid::new_v4();
    let (sequence, deduplication) = match &topic.attributes.fifo {
        None => (None, None),
        Some(fifo) => match fifo::place(tx, arn, fifo, &message, message_id, now)? {
            Place::New { sequence, deduplication } => (Some(sequence), Some(deduplication)),
            Place::Again(seen) => {
                return Ok(Accepted { message_id: seen.message_id, sequence: Some(seen.sequence) });
            }
        },
    };
    for (id, subscription) in subscriptions_of(tx, arn, now)? {
        let text = message.body.for_protocol(subscription.protocol);
        if subscription.pending.is_some()
            || !filter::wants(&subscription.attributes, &message.attributes, text)
        {
            continue;
        }
        let content = Content::Notification {
            message: text.to_owned(),
            subject: message.subject.clone(),
            attributes: message.attributes.clone(),
            raw: subscription.attributes.raw,
            group: message.group.clone(),
            deduplication: deduplication.clone(),
            sequence: sequence.clone(),
        };
        let subscription_arn = SubscriptionArn { topic: arn.clone(), id };
        let parcel = Parcel {
            trace_header: cause.trace_header.clone(),
            at: now,
            ..parcel(message_id, &subscription_arn, topic, &subscription, content)
        };
        sns.send(tx, &parcel)?;
    }
    Ok(Accepted { message_id, sequence })
}

/// Asks an endpoint whether it wants to be subscribed.
pub(crate) fn ask_to_confirm(
    sns: &Sns,
    tx: &mut Tx<'_>,
    arn: &SubscriptionArn,
    topic: &TopicRecord,
    subscription: &SubscriptionRecord,
    pending: &Pending,
) -> Result<(), Refusal> {
    let content = Content::Confirmation { token: pending.token.clone() };
    let parcel = parcel(Uuid::new_v4(), arn, topic, subscription, content);
    sns.send(tx, &Parcel { at: pending.since, ..parcel })
}

fn parcel(
    message_id: Uuid,
    arn: &SubscriptionArn,
    topic: &TopicRecord,
    subscription: &SubscriptionRecord,
    content: Content,
) -> Parcel {
    let set = &subscription.attributes;
    let is_http = matches!(subscription.protocol, Protocol::Http | Protocol::Https);
    Parcel {
        content,
        message_id,
        topic: arn.topic.to_string(),
        subscription: arn.to_string(),
        protocol: subscription.protocol,
        endpoint: subscription.endpoint.clone(),
        version: topic.attributes.signature_version.unwrap_or(SignatureVersion::One),
        at: domain::Timestamp::default(),
        topic_policy: topic.attributes.delivery_policy.clone().filter(|_| is_http),
        subscription_policy: set.delivery_policy.clone(),
        // It was checked before it was stored.
        dead_letter_queue: set.redrive_policy.as_deref().and_then(|policy| dead_letter_queue(policy).ok()),
        trace_header: None,
    }
}
