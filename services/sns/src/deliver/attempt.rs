//! One attempt, by protocol.

use std::pin::Pin;
use std::sync::Arc;

use deliveries::{Delivery, Event};

use super::queue::{self, QueueMessage};
use super::{http, people, pipeline};
use crate::Sns;
use crate::parcel::{Content, Parcel};
use crate::publish::{Notification, time_shown};
use crate::record::Protocol;

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It arrived.
    Delivered,
    /// From here on it is the function's: it is invoked asynchronously.
    HandedOver(Box<Delivery>),
    /// It may arrive another time.
    Failed(String),
    /// It never will: no such queue, no permission.
    Hopeless(String),
}

/// Why a queue or a function did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Another time it may.
    Temporary(String),
    /// It never will. AWS calls these client-side errors, and does not try again.
    Permanent(String),
}

type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;
/// Sends to a queue, as SNS on behalf of a topic: by the queue's ARN and the topic's.
pub type ToQueue = Arc<dyn Fn(String, String, QueueMessage) -> Sending + Send + Sync>;
/// Whether SNS may invoke a function on behalf of a topic, by the ARNs of both: an `Err` says why it never may.
pub type MayInvoke = Arc<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// Tries once.
pub(crate) async fn deliver(sns: &Sns, parcel: &Parcel) -> Attempt {
    let sent = match parcel.protocol {
        Protocol::Sqs => match queue_message(sns, parcel).await {
            Ok(message) => (sns.to_queue)(parcel.endpoint.clone(), parcel.topic.clone(), message).await,
            Err(error) => Err(error),
        },
        Protocol::Lambda => match to_function(sns, parcel).await {
            Ok(delivery) => return Attempt::HandedOver(Box::new(delivery)),
            Err(error) => Err(error),
        },
        Protocol::Http | Protocol::Https => return http::deliver(sns, parcel).await,
        Protocol::Email | Protocol::EmailJson | Protocol::Sms => people::deliver(sns, parcel).await,
    };
    match sent {
        Ok(()) => Attempt::Delivered,
        Err(SendError::Temporary(why)) => Attempt::Failed(why),
        Err(SendError::Permanent(why)) => Attempt::Hopeless(why),
    }
}

/// What an endpoint that wants SNS's own format gets.
pub(super) async fn envelope(sns: &Sns, parcel: &Parcel) -> Result<String, SendError> {
    let signer = sns.signer().await?;
    let timestamp = time_shown(parcel.at);
    Ok(match &parcel.content {
        Content::Notification { .. } => notification(sns, parcel, &timestamp)?.envelope(&signer),
        Content::Confirmation { token } => crate::publish::Question {
            message_id: parcel.message_id.to_string(),
            topic_arn: &parcel.topic,
            token,
            timestamp: &timestamp,
            version: parcel.version,
            base_url: &sns.base_url,
        }
        .envelope(&signer),
    })
}

async fn to_function(sns: &Sns, parcel: &Parcel) -> Result<Delivery, SendError> {
    (sns.may_invoke)(&parcel.endpoint, &parcel.topic).map_err(SendError::Permanent)?;
    let signer = sns.signer().await?;
    let timestamp = time_shown(parcel.at);
    let event = notification(sns, parcel, &timestamp)?.lambda_event(&signer);
    let details = Event { trace_header: parcel.trace_header.clone(), ..Event::default() };
    Ok(Delivery::new(parcel.endpoint.clone(), event, pipeline::sender(parcel)).with(&details))
}

async fn queue_message(sns: &Sns, parcel: &Parcel) -> Result<QueueMessage, SendError> {
    if let Some(message) = queue::raw(parcel)? {
        return Ok(message);
    }
    Ok(queue::wrapped(parcel, envelope(sns, parcel).await?))
}

fn notification<'a>(
    sns: &'a Sns,
    parcel: &'a Parcel,
    timestamp: &'a str,
) -> Result<Notification<'a>, SendError> {
    let Content::Notification { message, subject, attributes, sequence, .. } = &parcel.content else {
        return Err(SendError::Permanent("queues and functions are not asked to confirm".to_owned()));
    };
    Ok(Notification {
        message_id: parcel.message_id.to_string(),
        topic_arn: &parcel.topic,
        subscription_arn: &parcel.subscription,
        subject: subject.as_deref(),
        message,
        timestamp,
        sequence: sequence.as_deref(),
        attributes,
        version: parcel.version,
        base_url: &sns.base_url,
    })
}
