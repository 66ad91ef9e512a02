//! Changing how long a message in flight is invisible.

use std::sync::Arc;
use std::time::Duration;

use wire::{Context, Error, Unit};

use super::batch::{check_ids, failed};
use super::receive::seconds_in;
use crate::Sqs;
use crate::error::{invalid_value, missing};
use crate::index::Change;
use crate::limits::VISIBILITY_SECONDS;
use crate::queue::Queue;
use crate::shapes::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchResult,
    ChangeMessageVisibilityBatchResultEntry, ChangeMessageVisibilityRequest,
};

/// `ChangeMessageVisibility`
pub async fn change_visibility(
    sqs: Sqs,
    cx: Context,
    input: ChangeMessageVisibilityRequest,
) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "ChangeMessageVisibility")?;
    sqs.hide_by_handle(&queue, &input.receipt_handle, input.visibility_timeout)?;
    Ok(Unit {})
}

/// `ChangeMessageVisibilityBatch`
pub async fn change_visibility_batch(
    sqs: Sqs,
    cx: Context,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "ChangeMessageVisibility")?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let mut result = ChangeMessageVisibilityBatchResult::default();
    for entry in input.entries {
        let changed = entry
            .visibility_timeout
            .ok_or_else(|| missing("VisibilityTimeout"))
            .and_then(|seconds| sqs.hide_by_handle(&queue, &entry.receipt_handle, seconds));
        match changed {
            Ok(()) => result.successful.push(ChangeMessageVisibilityBatchResultEntry { id: entry.id }),
            Err(error) => result.failed.push(failed(entry.id, error)),
        }
    }
    Ok(result)
}

impl Sqs {
    /// Lets the message of a handle be visible again after a span; at once if it is zero.
    pub(crate) fn hide_by_handle(&self, queue: &Arc<Queue>, handle: &str, seconds: i32) -> Result<(), Error> {
        let span = seconds_in(seconds, &VISIBILITY_SECONDS).ok_or_else(|| {
            invalid_value(seconds, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
        })?;
        let receipt = self.receipt(queue, handle)?;
        match self.hide(queue, receipt.sequence, receipt.count, span) {
            Change::Done => Ok(()),
            Change::TooLong => Err(invalid_value(
                seconds,
                "VisibilityTimeout",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            )),
            Change::Gone => Err(invalid_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            )),
            Change::NotInFlight if queue.fifo => {
                Err(invalid_value(handle, "ReceiptHandle", "The receipt handle has expired."))
            }
            // A standard queue answers that all is well, and changes nothing.
            Change::NotInFlight => Ok(()),
        }
    }

    /// The same by the message's place.
    pub(crate) fn hide(&self, queue: &Arc<Queue>, sequence: u64, count: u32, span: Duration) -> Change {
        let now = self.now();
        let mut index = queue.index();
        index.tick(now.0);
        let longest = VISIBILITY_SECONDS.end() * 1_000;
        let change = index.change_visibility(sequence, count, now.0, now.plus(span).0, longest);
        drop(index);
        if change == Change::Done {
            self.receipts_wait(queue);
            // Receivers who wait for the moment at which it becomes visible must learn of the new one.
            queue.ring(1);
        }
        change
    }
}
