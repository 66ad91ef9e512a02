//! Saves receipts, a moment after they were given: how often a message was received, and until when it is invisible.
//!
//! A message may always be received twice, so nobody waits for this. What a crash loses is a second of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::Domain;

use crate::Sqs;
use crate::index::{Sequence, State};
use crate::queue::Queue;
use crate::record::{STATES, encode_state};

/// How long receipts gather. Most messages are deleted before, and then nothing is written for them.
const GATHER: Duration = Duration::from_secs(1);
/// Rows of one transaction: a few milliseconds.
const SLICE_ROWS: usize = 1_000;

impl Sqs {
    /// Some messages of the queue were received.
    pub(crate) fn receipts_wait(&self, queue: &Queue) {
        if !queue.receipts_wait.swap(true, Ordering::AcqRel) {
            self.unsaved.notify_one();
        }
    }
}

/// Starts the task.
pub fn spawn(sqs: &Sqs) {
    let sqs = sqs.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sqs.unsaved.notified() => {}
                () = sqs.stopped() => return,
            }
            tokio::time::sleep(GATHER).await;
            save(&sqs).await;
        }
    });
}

/// Saves what waits.
pub async fn save(sqs: &Sqs) {
    for queue in sqs.queues.all() {
        if !queue.receipts_wait.swap(false, Ordering::AcqRel) {
            continue;
        }
        let unsaved: Vec<Sequence> = queue.index().take_unsaved().into_iter().collect();
        for slice in unsaved.chunks(SLICE_ROWS) {
            if let Err(error) = save_slice(sqs, &queue, slice.to_vec()).await {
                tracing::warn!(queue = %queue.address.name, %error, "receipts are not saved");
            }
        }
    }
}

async fn save_slice(sqs: &Sqs, queue: &Arc<Queue>, slice: Vec<Sequence>) -> Result<(), store::Error> {
    let queue = Arc::clone(queue);
    sqs.store
        .write_in(Domain::Queues, move |tx| {
            for sequence in slice {
                let row = {
                    let index = queue.index();
                    // One that leaves may be gone from the disk already, and must not come back.
                    let stays = !matches!(index.state(sequence), None | Some(State::Leaving));
                    index.arrival(sequence).filter(|_| stays).map(|arrival| encode_state(&arrival))
                };
                if let Some(row) = row.filter(|_| !queue.is_gone()) {
                    tx.put(&STATES, (queue.id, sequence), &row)?;
                }
            }
            Ok(())
        })
        .await
}
