//! What a queue knows of its messages without looking at the disk: which are there, which of them may be received now
//! and in what order.
//!
//! Purely a data structure: it is told the time, and waits for nothing. A message costs some fifty bytes here, whatever
//! its size; the rest is in the store. Sequence numbers are given in the order of commits, and are the order of a queue.

mod entry;
mod group;
mod leases;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use entry::{Arrival, Received, State};
pub use leases::{Change, Lease, Want};

use entry::Entry;
use group::{GroupId, Groups};

/// The place of a message in its queue, for good.
pub type Sequence = u64;

/// A moment, in milliseconds since the epoch.
pub type Millis = i64;

/// How many messages there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// May be received.
    pub visible: usize,
    /// Were received, and neither deleted nor visible again.
    pub in_flight: usize,
    /// May not be received for the first time yet.
    pub delayed: usize,
}

/// The messages of one queue.
#[derive(Debug)]
pub struct Index {
    entries: BTreeMap<Sequence, Entry>,
    groups: Groups,
    /// When a delayed message, or one in flight, becomes visible.
    timers: BTreeSet<(Millis, Sequence)>,
    /// Messages sent before an earlier one of the queue: those that came from another queue with their age.
    early: BTreeSet<(Millis, Sequence)>,
    sent_last: Millis,
    counts: Counts,
    /// Whose receipts the store does not know yet.
    unsaved: BTreeSet<Sequence>,
}

impl Index {
    /// The index of an empty queue.
    pub fn new(fifo: bool) -> Self {
        Self {
            entries: BTreeMap::new(),
            groups: Groups::new(fifo),
            timers: BTreeSet::new(),
            early: BTreeSet::new(),
            sent_last: Millis::MIN,
            counts: Counts::default(),
            unsaved: BTreeSet::new(),
        }
    }

    /// Adds a message that is on its way to the disk: it has its place, and nobody may receive it before
    /// [`Index::settle`]. In a FIFO queue, nothing behind it of its group may be received either.
    pub fn reserve(&mut self, sequence: Sequence, arrival: Arrival<'_>) {
        self.add(sequence, arrival, State::Arriving);
    }

    /// Adds a message that the disk has.
    pub fn restore(&mut self, sequence: Sequence, arrival: Arrival<'_>, now: Millis) {
        self.add(sequence, arrival, State::Arriving);
        self.settle(sequence, now);
    }

    fn add(&mut self, sequence: Sequence, arrival: Arrival<'_>, state: State) {
        let Arrival { sent, visible_at, group, received } = arrival;
        if sent < self.sent_last {
            self.early.insert((sent, sequence));
        }
        self.sent_last = self.sent_last.max(sent);
        let group = self.groups.join(group, sequence);
        let waits = visible_at > sent || received.is_some();
        let received = waits.then(|| Box::new(received.unwrap_or_else(|| Received::never(visible_at))));
        self.entries.insert(sequence, Entry { sent, received, group, state });
    }

    /// The disk has the message: it may be received, now or when its delay is over.
    pub fn settle(&mut self, sequence: Sequence, now: Millis) {
        let Some(entry) = self.entries.get(&sequence).filter(|entry| entry.state == State::Arriving) else {
            return;
        };
        let until = entry.received.as_ref().map_or(Millis::MIN, |received| received.until);
        let was_received = entry.count() > 0;
        let state = match (until > now, was_received) {
            (false, _) => State::Visible,
            (true, false) => State::Delayed,
            (true, true) => State::InFlight,
        };
        if state != State::Visible {
            self.timers.insert((until, sequence));
        }
        self.set_state(sequence, state);
    }

    /// Takes a message out: it is on the disk no more, or never got there.
    pub fn remove(&mut self, sequence: Sequence) -> bool {
        let Some(entry) = self.entries.get(&sequence) else { return false };
        let (sent, group) = (entry.sent, entry.group);
        self.set_state(sequence, State::Leaving);
        self.entries.remove(&sequence);
        self.early.remove(&(sent, sequence));
        self.unsaved.remove(&sequence);
        let entries = &self.entries;
        self.groups.leave(group, sequence, |at| is_visible(entries, at));
        true
    }

    /// Makes visible what is due.
    pub fn tick(&mut self, now: Millis) {
        while let Some((due, sequence)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            self.set_state(sequence, State::Visible);
        }
    }

    /// When something becomes visible next.
    pub fn next_due(&self) -> Option<Millis> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Takes out messages that were sent at this moment or before, at most so many, and says which.
    pub fn expire(&mut self, sent_until: Millis, limit: usize) -> Vec<Sequence> {
        let mut expired = Vec::new();
        while expired.len() < limit {
            let Some(sequence) = self.oldest().filter(|(sent, _)| *sent <= sent_until).map(|(_, at)| at)
            else {
                break;
            };
            self.remove(sequence);
            expired.push(sequence);
        }
        expired
    }

    /// When the oldest message was sent.
    pub fn oldest_sent(&self) -> Option<Millis> {
        self.oldest().map(|(sent, _)| sent)
    }

    /// The oldest of those that neither arrive nor leave.
    fn oldest(&self) -> Option<(Millis, Sequence)> {
        let settled = |entry: &Entry| !matches!(entry.state, State::Arriving | State::Leaving);
        let first =
            self.entries.iter().find(|(_, entry)| settled(entry)).map(|(at, entry)| (entry.sent, *at));
        let early = self.early.iter().find(|(_, at)| self.entries.get(at).is_some_and(settled)).copied();
        match (first, early) {
            (Some(first), Some(early)) => Some(first.min(early)),
            (first, early) => first.or(early),
        }
    }

    /// Takes out every message up to this one.
    pub fn purge(&mut self, through: Sequence) {
        let gone: Vec<Sequence> = self.entries.range(..=through).map(|(sequence, _)| *sequence).collect();
        for sequence in gone {
            self.remove(sequence);
        }
    }

    /// How many messages there are of each kind.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many messages are there at all.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is known of a message.
    pub fn state(&self, sequence: Sequence) -> Option<State> {
        self.entries.get(&sequence).map(|entry| entry.state)
    }

    /// When a message was sent, of which group it is, and what became of it since: what the store keeps beside it.
    pub fn arrival(&self, sequence: Sequence) -> Option<Arrival<'_>> {
        let entry = self.entries.get(&sequence)?;
        let received = entry.received.as_deref().copied();
        let visible_at = received.map_or(entry.sent, |received| received.until);
        Some(Arrival { sent: entry.sent, visible_at, group: self.groups.name(entry.group), received })
    }

    /// Messages whose receipts the store does not know yet; from now on they count as known.
    pub fn take_unsaved(&mut self) -> BTreeSet<Sequence> {
        std::mem::take(&mut self.unsaved)
    }

    /// The one place where a message changes its state.
    fn set_state(&mut self, sequence: Sequence, state: State) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let (before, group) = (std::mem::replace(&mut entry.state, state), entry.group);
        if before == state {
            return;
        }
        let until = entry.received.as_ref().map(|received| received.until);
        if let (true, Some(until)) = (before.has_timer() && !state.has_timer(), until) {
            self.timers.remove(&(until, sequence));
        }
        for (kind, change) in
            [(before, usize::wrapping_sub as fn(usize, usize) -> usize), (state, usize::wrapping_add)]
        {
            let count = match kind {
                State::Visible => &mut self.counts.visible,
                State::InFlight => &mut self.counts.in_flight,
                State::Delayed => &mut self.counts.delayed,
                State::Arriving | State::Leaving => continue,
            };
            *count = change(*count, 1);
        }
        let entries = &self.entries;
        self.groups.changed(group, sequence, before, state, |at| is_visible(entries, at));
    }
}

fn is_visible(entries: &BTreeMap<Sequence, Entry>, sequence: Sequence) -> bool {
    entries.get(&sequence).is_some_and(|entry| entry.state == State::Visible)
}
