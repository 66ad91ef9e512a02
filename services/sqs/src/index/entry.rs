//! One message, as the index knows it.

use super::{GroupId, Millis};

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On its way to the disk.
    Arriving,
    /// Not to be received for the first time yet.
    Delayed,
    /// To be received.
    Visible,
    /// Received, and neither deleted nor visible again.
    InFlight,
    /// Being deleted, or moved to another queue.
    Leaving,
}

impl State {
    /// Whether something happens to it by itself.
    pub(super) fn has_timer(self) -> bool {
        matches!(self, Self::Delayed | Self::InFlight)
    }

    /// Whether a group with such a message waits for it.
    pub(super) fn is_out(self) -> bool {
        matches!(self, Self::InFlight | Self::Leaving)
    }
}

/// What became of a message since it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How often it was received.
    pub count: u32,
    /// For the first time.
    pub first: Millis,
    /// For the last time.
    pub last: Millis,
    /// When it is visible, again or for the first time.
    pub until: Millis,
}

impl Received {
    /// Not yet, and not before this moment.
    pub fn never(until: Millis) -> Self {
        Self { count: 0, first: 0, last: 0, until }
    }
}

/// A message as it comes into the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// When it was sent.
    pub sent: Millis,
    /// When it may be received for the first time.
    pub visible_at: Millis,
    /// Its group, if it has one.
    pub group: Option<&'a str>,
    /// What became of it before.
    pub received: Option<Received>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sent: Millis,
    /// Absent of a message that was never delayed nor received, as most are.
    pub(super) received: Option<Box<Received>>,
    pub(super) group: GroupId,
    pub(super) state: State,
}

impl Entry {
    pub(super) fn count(&self) -> u32 {
        self.received.as_ref().map_or(0, |received| received.count)
    }
}
