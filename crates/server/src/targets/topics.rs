//! Topics and their subscriptions, and how SNS reaches queues and functions.

use std::pin::Pin;
use std::sync::Arc;

use deliveries::{Answer, Attribute, Deliveries, Delivery, Message, Parcel, Sender, Verdict};
use lambda::Lambda;
use sns::{MayInvoke, QueueMessage, SendError, Sns, ToQueue};

use super::roles::{RoleMay, is_denied};

/// Deliveries to one subscription, or to one topic, that are made at once.
const AT_ONCE: usize = 16;

/// Delivers to a queue, as the pipeline's own handler does.
pub type QueueHandler = Arc<dyn Fn(Parcel) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Says how topics and subscriptions are delivered to.
pub fn register(deliveries: &Deliveries, sns: &Sns, role_may: &RoleMay) {
    // Those of FIFO topics one after the other.
    for (kind, at_once) in [("sns", AT_ONCE), (sns::IN_ORDER, 1)] {
        let (sns, role_may) = (sns.clone(), Arc::clone(role_may));
        deliveries.on(kind, at_once, move |parcel| {
            let (sns, role_may) = (sns.clone(), Arc::clone(&role_may));
            async move {
                if is_denied(&role_may, &parcel, "sns:Publish") {
                    return Answer::failed("the sender's role may not publish to this topic")
                        .coded("NO_PERMISSIONS");
                }
                sns.attempt(parcel).await
            }
        });
    }
}

/// How SNS puts a message into a queue.
pub fn to_queue(handler: QueueHandler) -> ToQueue {
    Arc::new(move |queue, topic, message| {
        let answer = handler(parcel(queue, topic, message));
        Box::pin(async move {
            match answer.await.verdict {
                Verdict::Delivered => Ok(()),
                Verdict::Failed { why } => Err(SendError::Permanent(why)),
                Verdict::Retry { why, .. } | Verdict::Setback { why, .. } | Verdict::Busy { why, .. } => {
                    Err(SendError::Temporary(why))
                }
                Verdict::NotNow => Err(SendError::Temporary("the server is going down".to_owned())),
            }
        })
    })
}

fn parcel(queue: String, topic: String, message: QueueMessage) -> Parcel {
    let attributes = message
        .attributes
        .into_iter()
        .map(|(name, one)| (name, Attribute { data_type: one.data_type, value: one.value }));
    let details = Message {
        attributes: attributes.collect(),
        subject: None,
        trace_header: message.trace_header,
        group_id: message.group,
        deduplication_id: message.deduplication,
    };
    let sender = Sender::service("sns.amazonaws.com", topic);
    Delivery::new(queue, message.body, sender).with(&details).into()
}

/// Whether SNS may invoke a function for a topic.
pub fn may_invoke(lambda: &Lambda) -> MayInvoke {
    let lambda = lambda.clone();
    Arc::new(move |function, topic| {
        let account = topic.split(':').nth(4).unwrap_or_default();
        if lambda.may_invoke(function, "sns.amazonaws.com", topic, account) {
            return Ok(());
        }
        Err(format!(
            "{function} is not there, or its policy does not let sns.amazonaws.com invoke it for {topic}"
        ))
    })
}
