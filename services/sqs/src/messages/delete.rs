//! Deleting.

use std::sync::Arc;

use wire::{Context, Error, Unit};

use super::batch::{check_ids, failed};
use crate::Sqs;
use crate::error::{invalid_value, receipt_handle_is_invalid};
use crate::index::{Sequence, State};
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::shapes::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry, DeleteMessageRequest,
};

/// `DeleteMessage`
pub async fn delete(sqs: Sqs, cx: Context, input: DeleteMessageRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "DeleteMessage")?;
    let sequence = sqs.deletable(&queue, &input.receipt_handle)?;
    sqs.withdraw(&queue, &[sequence]).await?;
    Ok(Unit {})
}

/// `DeleteMessageBatch`
pub async fn delete_batch(
    sqs: Sqs,
    cx: Context,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "DeleteMessage")?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let mut result = DeleteMessageBatchResult::default();
    let mut sequences = Vec::new();
    for entry in input.entries {
        match sqs.deletable(&queue, &entry.receipt_handle) {
            Ok(sequence) => {
                sequences.push(sequence);
                result.successful.push(DeleteMessageBatchResultEntry { id: entry.id });
            }
            Err(error) => result.failed.push(failed(entry.id, error)),
        }
    }
    sqs.withdraw(&queue, &sequences).await?;
    Ok(result)
}

impl Sqs {
    /// What a handle says, if it is one of this queue's.
    pub(super) fn receipt(&self, queue: &Queue, handle: &str) -> Result<Receipt, Error> {
        let receipt = self.receipts.read(handle).filter(|receipt| receipt.queue == queue.id);
        receipt.ok_or_else(|| receipt_handle_is_invalid(handle))
    }

    /// The message of a handle. In a FIFO queue it must be in flight by this very receipt, or its group could be
    /// overtaken; in a standard queue an old receipt will do.
    pub(crate) fn deletable(&self, queue: &Arc<Queue>, handle: &str) -> Result<Sequence, Error> {
        let receipt = self.receipt(queue, handle)?;
        if queue.fifo {
            let mut index = queue.index();
            index.tick(self.now().0);
            let state = index.state(receipt.sequence);
            let expired = matches!(state, Some(state) if state != State::Leaving)
                && !index.holds(receipt.sequence, receipt.count);
            if expired {
                return Err(invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."));
            }
        }
        Ok(receipt.sequence)
    }
}
