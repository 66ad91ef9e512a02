//! Deleting a queue: it is gone at once, its messages a little later.

use wire::{Context, Error, Unit};

use crate::Sqs;
use crate::record::{DELETED_NAMES, QUEUES, TRASH};
use crate::shapes::DeleteQueueRequest;

/// `DeleteQueue`
pub async fn delete(sqs: Sqs, cx: Context, input: DeleteQueueRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "DeleteQueue")?;
    let now = sqs.now();
    let deleted = {
        let queue = queue.clone();
        sqs.write(move |tx| {
            let key = (&queue.address.scope, queue.address.name.as_str());
            if tx.get(&QUEUES, key)?.is_some_and(|record| record.id == queue.id) {
                tx.delete(&QUEUES, key)?;
                tx.put(&DELETED_NAMES, key, &now)?;
                tx.put(&TRASH, &queue.id, &())?;
                // Whatever is sent from now on would be nobody's.
                queue.set_gone(true);
            }
            Ok(())
        })
        .await
    };
    if deleted.is_err() {
        queue.set_gone(false);
    }
    deleted?;
    sqs.queues.forget(&queue.address, queue.id);
    sqs.rubbish.notify_one();
    Ok(Unit {})
}
