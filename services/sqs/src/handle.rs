//! Queues for the rest of the server: deliveries come in, pollers take out. The server hands these out; no other crate
//! of a service knows this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wire::Error;

use crate::address::Address;
use crate::digest;
use crate::error::{queue_does_not_exist, service};
use crate::index::{Change, Counts};
use crate::limits::BATCH_BYTES_MAX;
use crate::message_attributes::Attribute;
use crate::messages::{Draft, system_attribute};
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::receive::{Leased, Receive};
use crate::{Sqs, messages};

/// A message from inside the server.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// What it says.
    pub body: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// `AWSTraceHeader`
    pub trace: Option<String>,
    /// `MessageGroupId`, which a FIFO queue needs.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, of a FIFO queue.
    pub deduplication: Option<String>,
    /// `SenderId`
    pub sender: String,
}

/// A queue, by whoever takes messages from it.
#[derive(Clone)]
pub struct QueueHandle {
    sqs: Sqs,
    queue: Arc<Queue>,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct ReceivedMessage {
    /// Its id.
    pub message_id: String,
    /// To delete it with.
    pub receipt_handle: String,
    /// What it says.
    pub body: String,
    /// The digest of the body.
    pub md5_of_body: String,
    /// The system's attributes, all of them.
    pub system: BTreeMap<&'static str, String>,
    /// The sender's attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// The digest of the attributes, if there are any.
    pub md5_of_attributes: Option<String>,
    sequence: u64,
    count: u32,
}

impl ReceivedMessage {
    /// `MessageGroupId`
    pub fn group(&self) -> Option<&str> {
        self.system.get("MessageGroupId").map(String::as_str)
    }
}

impl Sqs {
    /// Puts a message into the queue of an ARN, durably, and gives its id. Runs to its end even if the caller does not
    /// wait.
    ///
    /// # Errors
    /// What `SendMessage` would say.
    pub async fn deliver(&self, arn: &str, delivery: Delivery) -> Result<String, Error> {
        let QueueHandle { sqs, queue } = self.queue(arn).ok_or_else(queue_does_not_exist)?;
        let Delivery { body, attributes, trace, group, deduplication, sender } = delivery;
        let system = trace.map(|trace| ("AWSTraceHeader".to_owned(), Attribute::text("String", trace)));
        let system = system.into_iter().collect();
        let draft = Draft { body, delay_seconds: None, attributes, system, deduplication, group, sender };
        draft.check_size(queue.current().settings.message_bytes_max.min(BATCH_BYTES_MAX))?;
        let deposit = draft.check(&queue)?;
        let sending = tokio::spawn(async move { sqs.deposit(&queue, vec![deposit]).await });
        let accepted = sending.await.map_err(service)??;
        accepted
            .into_iter()
            .next()
            .map(|accepted| accepted.message_id)
            .ok_or_else(|| service("nothing was accepted"))
    }

    /// Rings whenever a queue was made.
    pub fn queues_changed(&self) -> watch::Receiver<()> {
        self.made.subscribe()
    }

    /// The queue of an ARN, if it is there.
    pub fn queue(&self, arn: &str) -> Option<QueueHandle> {
        let queue = self.queues.find(&Address::from_arn(arn)?)?;
        Some(QueueHandle { sqs: self.clone(), queue })
    }
}

impl QueueHandle {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.queue.arn()
    }

    /// Whether it keeps order.
    pub fn is_fifo(&self) -> bool {
        self.queue.fifo
    }

    /// How long its messages are invisible once they are received.
    pub fn visibility_timeout(&self) -> Duration {
        self.queue.current().settings.visibility
    }

    /// Its tags.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.queue.current().record.tags.clone()
    }

    /// Its resource policy, if it has one.
    pub fn policy(&self) -> Option<String> {
        self.queue.current().record.attributes.get("Policy").cloned()
    }

    /// How many messages may be received, and how many were and are not deleted.
    pub fn visible_and_in_flight(&self) -> (usize, usize) {
        let mut index = self.queue.index();
        index.tick(self.sqs.now().0);
        let Counts { visible, in_flight, .. } = index.counts();
        (visible, in_flight)
    }

    /// Receives up to `max` messages, waiting for the first as long as `wait`. Safe to drop while it waits.
    ///
    /// # Errors
    /// If the queue was deleted, also while it waits, or the store fails.
    pub async fn receive(
        &self,
        max: usize,
        visibility: Option<Duration>,
        wait: Duration,
    ) -> Result<Vec<ReceivedMessage>, Error> {
        let asked = Receive { max, visibility, wait, attempt: None };
        let leased = self.sqs.receive(&self.queue, &asked).await?;
        Ok(leased.into_iter().map(|leased| self.received(leased)).collect())
    }

    /// Deletes messages, durably. Runs to its end even if the caller does not wait.
    ///
    /// # Errors
    /// If the store fails; then none is deleted.
    pub async fn delete<'m>(
        &self,
        messages: impl IntoIterator<Item = &'m ReceivedMessage>,
    ) -> Result<(), Error> {
        let in_order = |message: &&ReceivedMessage| {
            // What a FIFO queue has given to somebody else meanwhile is theirs.
            !self.queue.fifo || self.queue.index().holds(message.sequence, message.count)
        };
        let sequences: Vec<u64> =
            messages.into_iter().filter(in_order).map(|message| message.sequence).collect();
        let Self { sqs, queue } = self.clone();
        tokio::spawn(async move { sqs.withdraw(&queue, &sequences).await }).await.map_err(service)?
    }

    /// Makes a message visible again after a span; at once if it is zero. False if it was not in flight any more.
    pub fn change_visibility(&self, message: &ReceivedMessage, span: Duration) -> bool {
        self.sqs.hide(&self.queue, message.sequence, message.count, span) == Change::Done
    }

    fn received(&self, Leased { lease, message }: Leased) -> ReceivedMessage {
        let receipt = Receipt { queue: self.queue.id, sequence: lease.sequence, count: lease.received.count };
        let system = messages::SYSTEM_ATTRIBUTES.iter().filter_map(|name| {
            Some((*name, system_attribute(&self.queue, &lease, &message.envelope, name)?))
        });
        let system = system.collect();
        let body = message.text();
        ReceivedMessage {
            receipt_handle: self.sqs.receipts.issue(receipt),
            md5_of_body: digest::of_body(body.as_bytes()),
            body,
            system,
            md5_of_attributes: digest::of_attributes(&message.envelope.attributes),
            message_id: message.envelope.id,
            attributes: message.envelope.attributes,
            sequence: lease.sequence,
            count: lease.received.count,
        }
    }
}
