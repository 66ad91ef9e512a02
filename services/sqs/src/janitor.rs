//! Removes what was deleted, purged or has expired, in slices, so that no sender waits long for it.
//!
//! What a killed server left is found at the next start.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use store::{Domain, Scan, Tx};

use crate::Sqs;
use crate::index::Sequence;
use crate::limits::NAME_REUSE;
use crate::queue::Queue;
use crate::record::{
    DEDUPLICATION, DEDUPLICATION_ENDS, DELETED_NAMES, MESSAGES, MOVES, QueueId, STATES, TRASH,
};
use crate::withdraw::take_out;

/// Rows removed in one transaction.
const SLICE_ROWS: usize = 1_000;
/// Messages that a queue forgets at once, while it is asked for others.
const EXPIRED_AT_ONCE: usize = 1_000;
/// After the store failed.
const RETRY: Duration = Duration::from_secs(5);

impl Sqs {
    /// Forgets messages of the queue that were kept long enough. They are removed from the disk in the background.
    pub(crate) fn expire(&self, queue: &Arc<Queue>, now: Timestamp) {
        let retention = queue.current().settings.retention;
        let span = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let expired = queue.index().expire(now.0.saturating_sub(span), EXPIRED_AT_ONCE);
        if expired.is_empty() {
            return;
        }
        let (store, id) = (self.store.clone(), queue.id);
        tokio::spawn(async move {
            let removed = store.write_in(Domain::Queues, move |tx| remove(tx, id, &expired)).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "expired messages stay on the disk until the next start");
            }
        });
    }
}

fn remove(tx: &mut Tx<'_>, queue: QueueId, sequences: &[Sequence]) -> Result<(), store::Error> {
    sequences.iter().try_for_each(|sequence| take_out(tx, queue, *sequence))
}

/// Starts the task.
pub fn spawn(sqs: &Sqs) {
    let sqs = sqs.clone();
    tokio::spawn(async move {
        loop {
            let cleaned = clean(&sqs).await;
            if let Err(error) = &cleaned {
                tracing::warn!(%error, "deleted messages are still on the disk");
            }
            let now = sqs.now();
            let queues = sqs.queues.all();
            queues.iter().for_each(|queue| sqs.expire(queue, now));
            let next_expiry = queues.iter().filter_map(|queue| next_expiry(queue)).min();
            let expiry = async {
                match next_expiry {
                    // Together with what expires soon after.
                    Some(moment) => drop(sqs.time.sleep_until(moment.plus(Duration::from_secs(1))).await),
                    None => std::future::pending().await,
                }
            };
            let retry = async {
                if cleaned.is_ok() { std::future::pending().await } else { tokio::time::sleep(RETRY).await }
            };
            tokio::select! {
                () = sqs.rubbish.notified() => {}
                () = expiry => {}
                () = retry => {}
                () = sqs.stopped() => return,
            }
        }
    });
}

fn next_expiry(queue: &Queue) -> Option<Timestamp> {
    let sent = queue.index().oldest_sent()?;
    Some(Timestamp(sent).plus(queue.current().settings.retention))
}

/// Removes the messages of queues that are gone, those that purges left, and names that are free again.
async fn clean(sqs: &Sqs) -> Result<(), store::Error> {
    for id in sqs.store.read(|snapshot| snapshot.keys(&TRASH, &Scan::all()))? {
        while !sqs.store.write_in(Domain::Queues, move |tx| empty_slice(tx, id)).await? {}
    }
    for queue in sqs.queues.all() {
        let Some(purge) = queue.current().record.purge else { continue };
        let (id, through) = (queue.id, purge.through);
        while sqs.store.write_in(Domain::Queues, move |tx| purge_slice(tx, id, through)).await? == SLICE_ROWS
        {
        }
    }
    let now = sqs.now();
    sqs.store
        .write_in(Domain::Queues, move |tx| {
            for (key, at) in tx.scan(&DELETED_NAMES, &Scan::all())? {
                if at.plus(NAME_REUSE) <= now {
                    tx.delete(&DELETED_NAMES, &key)?;
                }
            }
            Ok(())
        })
        .await
}

/// Whether nothing is left.
fn empty_slice(tx: &mut Tx<'_>, id: QueueId) -> Result<bool, store::Error> {
    let mut removed = tx.delete_range(&MESSAGES, &Scan::prefix((id,)).limit(SLICE_ROWS))?;
    removed += tx.delete_range(&STATES, &Scan::prefix((id,)).limit(SLICE_ROWS))?;
    removed += tx.delete_range(&DEDUPLICATION, &Scan::prefix((id,)).limit(SLICE_ROWS))?;
    removed += tx.delete_range(&DEDUPLICATION_ENDS, &Scan::prefix((id,)).limit(SLICE_ROWS))?;
    removed += tx.delete_range(&MOVES, &Scan::prefix((id,)).limit(SLICE_ROWS))?;
    if removed == 0 {
        tx.delete(&TRASH, &id)?;
    }
    Ok(removed == 0)
}

fn purge_slice(tx: &mut Tx<'_>, id: QueueId, through: Sequence) -> Result<usize, store::Error> {
    let range = || Scan::prefix((id,)).below((id, through.saturating_add(1))).limit(SLICE_ROWS);
    tx.delete_range(&MESSAGES, &range())?;
    tx.delete_range(&STATES, &range())
}
