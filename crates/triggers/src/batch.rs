//! A batch in the making: when it is full, and what waits for the next one.

use domain::Timestamp;
use serde_json::value::RawValue;
use sqs::ReceivedMessage;

use crate::sqs_record::event_bytes;

/// The longest event of an invocation, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching>
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A message and its record.
#[derive(Debug)]
pub struct Item {
    /// As it was received.
    pub message: ReceivedMessage,
    /// As the function sees it.
    pub record: Box<RawValue>,
}

/// Messages that will be one event.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order in which they were received.
    pub items: Vec<Item>,
    /// When the first was received.
    pub since: Option<Timestamp>,
    bytes: usize,
}

impl Batch {
    /// Whether the event would not become too long. A lone record always fits.
    pub fn has_room_for(&self, item: &Item) -> bool {
        let bytes = item.record.get().len() + 1;
        self.items.is_empty() || event_bytes([]) + self.bytes + bytes <= EVENT_BYTES_MAX
    }

    /// Takes an item in.
    pub fn push(&mut self, item: Item, now: Timestamp) {
        self.since.get_or_insert(now);
        self.bytes += item.record.get().len() + 1;
        self.items.push(item);
    }

    /// How many more messages fit.
    pub fn room(&self, batch_size: usize) -> usize {
        batch_size.saturating_sub(self.items.len())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
