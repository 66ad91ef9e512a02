//! Creating a queue, or finding the one that is there already.

use std::collections::BTreeMap;

use wire::{Context, Error};

use super::tags::check_tags;
use crate::Sqs;
use crate::address::{Address, check_name};
use crate::attributes::{self, difference};
use crate::error::{Refusal, invalid_attribute_value, queue_deleted_recently, queue_name_exists};
use crate::limits::NAME_REUSE;
use crate::record::{DELETED_NAMES, QUEUES, QueueRecord};
use crate::shapes::{CreateQueueRequest, CreateQueueResult};

/// `CreateQueue`
pub async fn create(sqs: Sqs, cx: Context, input: CreateQueueRequest) -> Result<CreateQueueResult, Error> {
    let given = input.attributes.unwrap_or_default();
    let fifo = match given.get("FifoQueue").map(String::as_str) {
        Some("true") => true,
        // Absent is how a standard queue says it.
        Some("false") => return Err(crate::error::unknown_attribute("FifoQueue")),
        Some(_) => return Err(invalid_attribute_value("FifoQueue")),
        None => false,
    };
    check_name(&input.queue_name, fifo)?;
    let attributes = attributes::check(given, fifo, true)?;
    check_throughput(&attributes)?;
    let tags = input.tags.unwrap_or_default();
    check_tags(&tags)?;
    let address = Address { scope: cx.scope, name: input.queue_name };
    sqs.check_redrive(&address.scope, fifo, &address.arn(), attributes.get("RedrivePolicy"))?;

    let now = sqs.now_seconds();
    let record = {
        let (sqs, address) = (sqs.clone(), address.clone());
        let moment = sqs.now();
        sqs.clone()
            .write(move |tx| {
                let key = (&address.scope, address.name.as_str());
                if let Some(existing) = tx.get(&QUEUES, key)? {
                    return match difference(&attributes, &existing.attributes) {
                        Some(attribute) => Err(Refusal::from(queue_name_exists(attribute))),
                        None => Ok(existing),
                    };
                }
                if tx.get(&DELETED_NAMES, key)?.is_some_and(|at| moment < at.plus(NAME_REUSE)) {
                    return Err(queue_deleted_recently().into());
                }
                let record = QueueRecord {
                    id: sqs.queue_numbers.take(tx)?,
                    revision: 0,
                    created: now,
                    modified: now,
                    fifo,
                    attributes: normal(attributes),
                    tags,
                    purge: None,
                };
                tx.put(&QUEUES, key, &record)?;
                Ok(record)
            })
            .await?
    };
    sqs.queues.adopt(&address, record);
    sqs.made.send_replace(());
    Ok(CreateQueueResult { queue_url: Some(address.url(&sqs.base_url)) })
}

/// What says nothing is not kept; a key of KMS and SQS's own encryption exclude each other.
pub(super) fn normal(mut attributes: BTreeMap<String, String>) -> BTreeMap<String, String> {
    attributes.retain(|_, value| !value.is_empty());
    if attributes.contains_key("KmsMasterKeyId") {
        attributes.insert("SqsManagedSseEnabled".to_owned(), "false".to_owned());
    }
    attributes
}

/// Throughput by group needs deduplication by group.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html>
pub(super) fn check_throughput(attributes: &BTreeMap<String, String>) -> Result<(), Error> {
    let is = |name: &str, value: &str| attributes.get(name).is_some_and(|set| set == value);
    if is("FifoThroughputLimit", "perMessageGroupId") && !is("DeduplicationScope", "messageGroup") {
        return Err(Error::new(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId is allowed only when the \
             value for DeduplicationScope is messageGroup.",
        ));
    }
    Ok(())
}
