//! Emptying a queue.

use std::sync::Arc;

use wire::{Context, Error, Unit};

use crate::Sqs;
use crate::error::{Refusal, queue_does_not_exist};
use crate::limits::PURGE_INTERVAL;
use crate::record::{Purge, QUEUES};
use crate::shapes::PurgeQueueRequest;

/// `PurgeQueue`
pub async fn purge(sqs: Sqs, cx: Context, input: PurgeQueueRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "PurgeQueue")?;
    let (now, inner, target) = (sqs.now(), sqs.clone(), Arc::clone(&queue));
    let (record, through) = sqs
        .write(move |tx| {
            let key = (&target.address.scope, target.address.name.as_str());
            let record = tx.get(&QUEUES, key)?.filter(|record| record.id == target.id);
            let mut record = record.ok_or_else(queue_does_not_exist)?;
            if record.purge.is_some_and(|purge| now < purge.at.plus(PURGE_INTERVAL)) {
                return Err(Refusal::from(
                    Error::new(
                        "PurgeQueueInProgress",
                        format!(
                            "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                            target.address.name
                        ),
                    )
                    .with_status(403),
                ));
            }
            // Numbers are given on this thread: what was sent before has a smaller one.
            let through = inner.message_numbers.take(tx)?;
            record.purge = Some(Purge { at: now, through });
            record.revision += 1;
            tx.put(&QUEUES, key, &record)?;
            Ok((record, through))
        })
        .await?;
    queue.update(record);
    let emptied = Arc::clone(&queue);
    // A million messages take a second.
    let _ = tokio::task::spawn_blocking(move || emptied.index().purge(through)).await;
    sqs.rubbish.notify_one();
    Ok(Unit {})
}
