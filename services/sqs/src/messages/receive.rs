//! Receiving.

use std::time::Duration;

use wire::{Context, Error};

use super::sequence_number;
use crate::Sqs;
use crate::attributes;
use crate::digest;
use crate::error::{invalid_value, unknown_attribute};
use crate::limits::{RECEIVE_MESSAGES, VISIBILITY_SECONDS, WAIT_SECONDS};
use crate::message_attributes::is_wanted;
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::receive::{Leased, Receive};
use crate::shapes::{Message, ReceiveMessageRequest, ReceiveMessageResult};

/// System attributes that a receiver can ask for.
pub(crate) const SYSTEM_ATTRIBUTES: &[&str] = &[
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// `ReceiveMessage`
pub async fn receive(
    sqs: Sqs,
    cx: Context,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "ReceiveMessage")?;
    let max = i64::from(input.max_number_of_messages.unwrap_or(1));
    if !RECEIVE_MESSAGES.contains(&max) {
        return Err(invalid_value(max, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."));
    }
    let visibility = input.visibility_timeout.map(|seconds| {
        seconds_in(seconds, &VISIBILITY_SECONDS).ok_or_else(|| {
            invalid_value(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
        })
    });
    let wait = input.wait_time_seconds.map(|seconds| {
        seconds_in(seconds, &WAIT_SECONDS)
            .ok_or_else(|| invalid_value(seconds, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."))
    });
    let mut wanted = input.attribute_names.unwrap_or_default();
    wanted.extend(input.message_system_attribute_names.unwrap_or_default());
    let known = |name: &str| name == "All" || SYSTEM_ATTRIBUTES.contains(&name) || attributes::is_known(name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        return Err(unknown_attribute(unknown));
    }
    if let (false, Some(attempt)) = (queue.fifo, &input.receive_request_attempt_id) {
        return Err(invalid_value(
            attempt,
            "ReceiveRequestAttemptId",
            "The request include parameter that is not valid for this queue type",
        ));
    }
    let asked = Receive {
        max: usize::try_from(max).unwrap_or(1),
        visibility: visibility.transpose()?,
        wait: wait.transpose()?.unwrap_or(queue.current().settings.wait),
        attempt: input.receive_request_attempt_id,
    };
    let leased = sqs.receive(&queue, &asked).await?;
    if leased.is_empty() {
        return Ok(ReceiveMessageResult::default());
    }
    let names = input.message_attribute_names.unwrap_or_default();
    let messages = leased.into_iter().map(|leased| shown(&sqs, &queue, leased, &wanted, &names)).collect();
    Ok(ReceiveMessageResult { messages: Some(messages) })
}

/// A span within limits.
pub(super) fn seconds_in(seconds: i32, allowed: &std::ops::RangeInclusive<i64>) -> Option<Duration> {
    let fits = allowed.contains(&i64::from(seconds));
    u64::try_from(seconds).ok().filter(|_| fits).map(Duration::from_secs)
}

fn shown(sqs: &Sqs, queue: &Queue, leased: Leased, wanted: &[String], names: &[String]) -> Message {
    let Leased { lease, message } = leased;
    let system: std::collections::BTreeMap<String, String> = SYSTEM_ATTRIBUTES
        .iter()
        .filter(|name| wanted.iter().any(|wish| wish == "All" || wish == *name))
        .filter_map(|name| {
            Some(((*name).to_owned(), system_attribute(queue, &lease, &message.envelope, name)?))
        })
        .collect();
    let text = message.text();
    let mut attributes = message.envelope.attributes;
    attributes.retain(|name, _| is_wanted(name, names));
    let receipt = Receipt { queue: queue.id, sequence: lease.sequence, count: lease.received.count };
    Message {
        message_id: Some(message.envelope.id),
        receipt_handle: Some(sqs.receipts.issue(receipt)),
        md5_of_body: Some(digest::of_body(text.as_bytes())),
        body: Some(text),
        attributes: (!system.is_empty()).then_some(system),
        md5_of_message_attributes: digest::of_attributes(&attributes),
        message_attributes: (!attributes.is_empty())
            .then(|| attributes.into_iter().map(|(name, attribute)| (name, attribute.shown())).collect()),
    }
}

/// One of a message's system attributes, if it has it.
pub(crate) fn system_attribute(
    queue: &Queue,
    lease: &crate::index::Lease,
    envelope: &crate::message::Envelope,
    name: &str,
) -> Option<String> {
    match name {
        "SenderId" => Some(envelope.sender.clone()),
        "SentTimestamp" => Some(lease.sent.to_string()),
        "ApproximateReceiveCount" => Some(lease.received.count.to_string()),
        "ApproximateFirstReceiveTimestamp" => Some(lease.received.first.to_string()),
        "SequenceNumber" => queue.fifo.then(|| sequence_number(lease.sequence)),
        "MessageDeduplicationId" => envelope.deduplication.clone().filter(|_| queue.fifo),
        "MessageGroupId" => envelope.group.clone(),
        "AWSTraceHeader" => envelope.trace.clone(),
        "DeadLetterQueueSourceArn" => envelope.source.clone(),
        _ => None,
    }
}
