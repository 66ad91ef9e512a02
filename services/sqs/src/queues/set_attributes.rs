//! Changing a queue's attributes.

use wire::{Context, Error, Unit};

use super::create::{check_throughput, normal};
use crate::Sqs;
use crate::attributes;
use crate::shapes::SetQueueAttributesRequest;

/// `SetQueueAttributes`
pub async fn set_attributes(sqs: Sqs, cx: Context, input: SetQueueAttributesRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "SetQueueAttributes")?;
    let given = attributes::check(input.attributes, queue.fifo, false)?;
    sqs.check_redrive(&queue.address.scope, queue.fifo, &queue.arn(), given.get("RedrivePolicy"))?;
    let now = sqs.now_seconds();
    sqs.change(&queue, move |record| {
        // One kind of encryption takes the place of the other.
        if given.get("SqsManagedSseEnabled").is_some_and(|value| value == "true") {
            record.attributes.remove("KmsMasterKeyId");
        }
        record.attributes.extend(given);
        record.attributes = normal(std::mem::take(&mut record.attributes));
        check_throughput(&record.attributes)?;
        record.modified = now;
        Ok(())
    })
    .await?;
    // It may keep messages for a shorter time now.
    sqs.rubbish.notify_one();
    Ok(Unit {})
}
