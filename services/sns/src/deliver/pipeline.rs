//! Deliveries to subscriptions, and to topics: what the pipeline asks of SNS.

use std::time::Duration;

use bytes::Bytes;
use deliveries::{Answer, Delivery, Message, Policy, Sender, Verdict};
use store::Tx;

use super::attempt::envelope;
use super::attempt::{Attempt, deliver};
use super::queue;
use crate::Sns;
use crate::arn::SubscriptionArn;
use crate::delivery_policy::{Document, Retry};
use crate::error::{Refusal, service};
use crate::parcel::{Content, Parcel};
use crate::record::Protocol;

/// Deliveries to subscriptions of FIFO topics, one at a time each, so that their order holds.
pub const IN_ORDER: &str = "sns-fifo";

/// Accepts a parcel in the transaction of its cause.
pub(crate) fn accept(sns: &Sns, tx: &mut Tx<'_>, parcel: &Parcel) -> Result<(), Refusal> {
    let target = match is_fifo(parcel) {
        true => format!("{IN_ORDER}://{}", parcel.subscription),
        false => parcel.subscription.clone(),
    };
    let payload = serde_json::to_vec(parcel).map_err(service)?;
    let sender = sender(parcel);
    // When it is tried again, and for how long, is SNS's own business: see `answer`.
    let policy = Policy { attempts_max: u32::MAX, age_seconds_max: u64::from(u32::MAX), ..Policy::default() };
    let delivery = Delivery { id: parcel.message_id, policy, ..Delivery::new(target, payload, sender) };
    sns.deliveries.accept(tx, delivery).map_err(|error| match error {
        deliveries::AcceptError::Store(error) => Refusal::from(error),
        full @ deliveries::AcceptError::Full { .. } => {
            Refusal::from(wire::Error::new("Throttled", full.to_string()).with_status(429))
        }
    })
}

/// One attempt to deliver to a subscription.
pub(crate) async fn attempt(sns: &Sns, delivery: deliveries::Parcel) -> Answer {
    let parcel: Parcel = match serde_json::from_slice(&delivery.payload) {
        Ok(parcel) => parcel,
        Err(error) => return Answer::failed(format!("not a message of SNS: {error}")),
    };
    match deliver(sns, &parcel).await {
        Attempt::Delivered => Answer::delivered(),
        Attempt::HandedOver(delivery) => Answer::delivered().then([*delivery]),
        Attempt::Hopeless(why) => give_up(sns, &parcel, why).await,
        Attempt::Failed(why) => match retry(&parcel).delay(delivery.attempts + 1) {
            // The next of a FIFO topic's messages must not overtake this one.
            Some(after) if is_fifo(&parcel) => {
                Verdict::Busy { within: Some(after.max(Duration::from_millis(100))), why }.into()
            }
            Some(after) => Verdict::Retry { after: Some(after), why }.into(),
            None => give_up(sns, &parcel, why).await,
        },
    }
}

fn retry(parcel: &Parcel) -> Retry {
    match parcel.protocol {
        Protocol::Http | Protocol::Https => {
            Document::effective(parcel.topic_policy.as_deref(), parcel.subscription_policy.as_deref()).retry
        }
        _ => Retry::OF_AWS_ENDPOINTS,
    }
}

/// What could not be delivered goes to the subscription's dead-letter queue, if it has one.
async fn give_up(sns: &Sns, parcel: &Parcel, why: String) -> Answer {
    tracing::warn!(subscription = parcel.subscription, why, "message not delivered");
    let letter = match (&parcel.dead_letter_queue, &parcel.content) {
        (Some(queue), Content::Notification { .. }) => dead_letter(sns, parcel, queue).await,
        _ => None,
    };
    Answer::failed(why).then(letter)
}

async fn dead_letter(sns: &Sns, parcel: &Parcel, target: &str) -> Option<Delivery> {
    // A dead-letter queue of a FIFO topic's subscription is a FIFO queue, whatever the subscription's endpoint is.
    let to_queue = Parcel { endpoint: target.to_owned(), protocol: Protocol::Sqs, ..parcel.clone() };
    let message = match queue::raw(&to_queue) {
        Ok(Some(raw)) => raw,
        _ => queue::wrapped(&to_queue, envelope(sns, &to_queue).await.ok()?),
    };
    let attributes = message
        .attributes
        .into_iter()
        .map(|(name, one)| (name, deliveries::Attribute { data_type: one.data_type, value: one.value }));
    let details = Message {
        attributes: attributes.collect(),
        trace_header: message.trace_header,
        group_id: message.group,
        deduplication_id: message.deduplication,
        subject: None,
    };
    Some(Delivery::new(target, Bytes::from(message.body), sender(parcel)).with(&details))
}

pub(super) fn sender(parcel: &Parcel) -> Sender {
    Sender::service("sns.amazonaws.com", parcel.topic.clone())
}

fn is_fifo(parcel: &Parcel) -> bool {
    SubscriptionArn::parse(&parcel.subscription).is_ok_and(|arn| arn.topic.is_fifo())
}
