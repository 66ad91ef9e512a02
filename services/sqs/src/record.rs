//! What the store keeps: queues, their messages, and what must outlive a message.
//!
//! A message is two rows with the same key: what it says, which is written once, and its state, which is small and is
//! read whole at the start.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Raw, Table};

use crate::index::{Arrival, Received, Sequence};
use crate::moves::MoveRecord;

/// A queue's number: never used again, unlike its name.
pub type QueueId = u64;

/// Queues by name.
pub static QUEUES: Table<(Scope, String), QueueRecord> = Table::of(Domain::Queues, "sqs.queues");
/// Names that were free a short while ago: when their queues were deleted.
pub static DELETED_NAMES: Table<(Scope, String), Timestamp> = Table::of(Domain::Queues, "sqs.deleted_names");
/// Queues that are gone and whose messages are still being removed.
pub static TRASH: Table<QueueId, ()> = Table::of(Domain::Queues, "sqs.trash");
/// What messages say.
pub static MESSAGES: Table<(QueueId, Sequence), Raw> = Table::of(Domain::Queues, "sqs.messages");
/// What became of them.
pub static STATES: Table<(QueueId, Sequence), Raw> = Table::of(Domain::Queues, "sqs.states");
/// What was sent to FIFO queues in the last five minutes.
pub static DEDUPLICATION: Table<(QueueId, String), Sent> = Table::of(Domain::Queues, "sqs.deduplication");
/// The same by time, to forget it.
pub static DEDUPLICATION_ENDS: Table<(QueueId, Timestamp, String), ()> =
    Table::of(Domain::Queues, "sqs.deduplication_ends");
/// Move tasks, by the queue that they empty and their number.
pub static MOVES: Table<(QueueId, u64), MoveRecord> = Table::of(Domain::Queues, "sqs.moves");
/// Numbers up to which may have been given out.
pub static NUMBERS: Table<String, u64> = Table::of(Domain::Queues, "sqs.numbers");

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Its number.
    pub id: QueueId,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When its attributes last changed.
    pub modified: Timestamp,
    /// Whether it keeps order.
    pub fifo: bool,
    /// The attributes that were set, in AWS's form.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The last purge.
    pub purge: Option<Purge>,
}

/// A purge: what was there is gone at once, whatever of it is still in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// When.
    pub at: Timestamp,
    /// The last message that it took.
    pub through: Sequence,
}

/// What answers a message that was sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// When it was sent.
    pub at: Timestamp,
    /// The message's id.
    pub message_id: String,
    /// Its place.
    pub sequence: Sequence,
}

/// The length of a state without the group's name.
const STATE_BYTES: usize = 36;

/// A message's state as it is stored.
pub fn encode_state(arrival: &Arrival<'_>) -> Raw {
    let group = arrival.group.unwrap_or_default();
    let received = arrival.received.unwrap_or(Received::never(arrival.visible_at));
    let mut bytes = BytesMut::with_capacity(STATE_BYTES + group.len());
    bytes.put_i64(arrival.sent);
    bytes.put_u32(received.count);
    bytes.put_i64(received.first);
    bytes.put_i64(received.last);
    bytes.put_i64(received.until);
    bytes.put_slice(group.as_bytes());
    Raw(bytes.freeze())
}

/// A stored state again; nothing if it is damaged.
pub fn decode_state(bytes: &Bytes) -> Option<Arrival<'_>> {
    let word = |at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let count = u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let (sent, until) = (word(0)?, word(28)?);
    let received = Received { count, first: word(12)?, last: word(20)?, until };
    let group = std::str::from_utf8(bytes.get(STATE_BYTES..)?).ok()?;
    Some(Arrival {
        sent,
        visible_at: until,
        group: (!group.is_empty()).then_some(group),
        received: (count > 0).then_some(received),
    })
}
