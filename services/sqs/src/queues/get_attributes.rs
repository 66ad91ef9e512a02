//! Reading a queue's attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::{Context, Error};

use crate::Sqs;
use crate::attributes::{self, default_of};
use crate::error::unknown_attribute;
use crate::queue::Queue;
use crate::shapes::{GetQueueAttributesRequest, GetQueueAttributesResult};

/// Attributes that a queue has though nobody set them.
const ALWAYS: &[&str] = &[
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];
/// Those of FIFO queues.
const ALWAYS_FIFO: &[&str] = &["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// `GetQueueAttributes`
pub async fn get_attributes(
    sqs: Sqs,
    cx: Context,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "GetQueueAttributes")?;
    let names = input.attribute_names.unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !attributes::is_known(name)) {
        return Err(unknown_attribute(unknown));
    }
    let mut shown = sqs.attributes(&queue);
    if !names.iter().any(|name| name == "All") {
        shown.retain(|name, _| names.iter().any(|wanted| wanted == name));
    }
    // AWS leaves the map out when it is empty.
    Ok(GetQueueAttributesResult { attributes: (!shown.is_empty()).then_some(shown) })
}

impl Sqs {
    /// Every attribute of a queue.
    pub(crate) fn attributes(&self, queue: &Arc<Queue>) -> BTreeMap<String, String> {
        let now = self.now();
        self.expire(queue, now);
        let counts = {
            let mut index = queue.index();
            index.tick(now.0);
            index.counts()
        };
        let current = queue.current();
        let record = &current.record;
        let mut shown = record.attributes.clone();
        let defaults = ALWAYS.iter().chain(if queue.fifo { ALWAYS_FIFO } else { &[] });
        for name in defaults {
            if let Some(value) = default_of(name) {
                shown.entry((*name).to_owned()).or_insert(value);
            }
        }
        if shown.contains_key("KmsMasterKeyId")
            && let Some(value) = default_of("KmsDataKeyReusePeriodSeconds")
        {
            shown.entry("KmsDataKeyReusePeriodSeconds".to_owned()).or_insert(value);
        }
        for (name, value) in [
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("CreatedTimestamp", (record.created.0 / 1000).to_string()),
            ("LastModifiedTimestamp", (record.modified.0 / 1000).to_string()),
            ("QueueArn", queue.arn()),
        ] {
            shown.insert(name.to_owned(), value);
        }
        shown
    }
}
