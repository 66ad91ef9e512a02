//! Receiving, and what is done with a received message.

use super::{Index, Millis, Received, Sequence, State, is_visible};

/// What a receiver asks for.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// At most so many messages.
    pub max: usize,
    /// They are invisible to others until then.
    pub until: Millis,
    /// Messages that were received so often are not given out again.
    pub receives_max: Option<u32>,
    /// No more than so many may be in flight.
    pub in_flight_max: usize,
}

/// A message given to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub sequence: Sequence,
    /// When it was sent.
    pub sent: Millis,
    /// What became of it, this time included.
    pub received: Received,
}

/// What a receiver gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// To be given out.
    pub leases: Vec<Lease>,
    /// Received too often: leaving, to be moved to the dead-letter queue.
    pub dead: Vec<Sequence>,
    /// There would have been more, but too many are in flight.
    pub over_limit: bool,
}

/// Why nothing was changed about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was.
    Done,
    /// It is not there.
    Gone,
    /// It is there, but not in flight by this receipt.
    NotInFlight,
    /// It would be in flight for more than twelve hours.
    TooLong,
}

impl Index {
    /// Gives out messages whose turn it is. Tick first.
    pub fn take(&mut self, now: Millis, want: Want) -> Taken {
        let mut taken = Taken::default();
        while taken.leases.len() < want.max {
            let Some(group) = self.groups.next() else { break };
            let left = want.in_flight_max.saturating_sub(self.counts.in_flight);
            if left == 0 {
                taken.over_limit = true;
                break;
            }
            let entries = &self.entries;
            let limit = left.min(want.max - taken.leases.len());
            for sequence in self.groups.first(group, limit, |at| is_visible(entries, at)) {
                let entry = self.entries.get_mut(&sequence).expect("groups know only what is there");
                if want.receives_max.is_some_and(|max| entry.count() >= max) {
                    self.set_state(sequence, State::Leaving);
                    taken.dead.push(sequence);
                    // What follows it in a FIFO group waits until it is gone.
                    break;
                }
                let received = entry.received.get_or_insert_with(|| Box::new(Received::never(0)));
                if received.count == 0 {
                    received.first = now;
                }
                received.count = received.count.saturating_add(1);
                (received.last, received.until) = (now, want.until);
                taken.leases.push(Lease { sequence, sent: entry.sent, received: **received });
                self.unsaved.insert(sequence);
                self.timers.insert((want.until, sequence));
                self.set_state(sequence, State::InFlight);
            }
        }
        // Without a visibility timeout they are visible again at once, but come only once in one answer.
        self.tick(now);
        taken
    }

    /// Makes messages leave whose turn it is, to be moved to another queue.
    pub fn lead_out(&mut self, max: usize) -> Vec<Sequence> {
        let mut leaving = Vec::new();
        while leaving.len() < max
            && let Some(group) = self.groups.next()
        {
            let entries = &self.entries;
            for sequence in self.groups.first(group, max - leaving.len(), |at| is_visible(entries, at)) {
                self.set_state(sequence, State::Leaving);
                leaving.push(sequence);
            }
        }
        leaving
    }

    /// Moves the moment at which a message in flight becomes visible. `count` is the receipt's.
    pub fn change_visibility(
        &mut self,
        sequence: Sequence,
        count: u32,
        now: Millis,
        until: Millis,
        span_max: Millis,
    ) -> Change {
        let Some(entry) = self.entries.get_mut(&sequence) else { return Change::Gone };
        let Some(received) = entry.received.as_deref_mut().filter(|_| entry.state == State::InFlight) else {
            return if entry.state == State::Leaving { Change::Gone } else { Change::NotInFlight };
        };
        if received.count != count {
            return Change::NotInFlight;
        }
        if until > received.last + span_max {
            return Change::TooLong;
        }
        self.timers.remove(&(received.until, sequence));
        received.until = until;
        self.unsaved.insert(sequence);
        if until > now {
            self.timers.insert((until, sequence));
        } else {
            self.set_state(sequence, State::Visible);
        }
        Change::Done
    }

    /// Whether the receipt is that of the last receive, and the message still in flight by it.
    pub fn holds(&self, sequence: Sequence, count: u32) -> bool {
        let entry = self.entries.get(&sequence);
        entry.is_some_and(|entry| entry.state == State::InFlight && entry.count() == count)
    }

    /// A message is about to be deleted: nobody receives it any more. Gives what to undo with; nothing if it is not
    /// there, or leaving already.
    pub fn begin_leaving(&mut self, sequence: Sequence) -> Option<State> {
        let before = self.state(sequence)?;
        if matches!(before, State::Leaving | State::Arriving) {
            return None;
        }
        self.set_state(sequence, State::Leaving);
        Some(before)
    }

    /// It was not deleted after all.
    pub fn stay(&mut self, sequence: Sequence, before: State) {
        if self.state(sequence) != Some(State::Leaving) {
            return;
        }
        if let (true, Some(entry)) = (before.has_timer(), self.entries.get(&sequence)) {
            let until = entry.received.as_ref().map_or(Millis::MIN, |received| received.until);
            self.timers.insert((until, sequence));
        }
        self.set_state(sequence, before);
        self.unsaved.insert(sequence);
    }
}
