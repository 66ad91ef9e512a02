//! Message groups, and whose turn it is.
//!
//! In a FIFO queue, a group gives its messages in order, and none while one of them is out. In a standard queue, a
//! group is a tenant: those with fewer messages out come first, so that a flood of one does not delay the others.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Sequence, State};

/// A group of the queue, by number.
pub(super) type GroupId = u32;

/// The group of the messages that have none.
const NONE: GroupId = 0;

#[derive(Debug, Default)]
struct Group {
    name: Arc<str>,
    /// How many messages it has, whatever their state.
    total: usize,
    /// FIFO: all that are there. Standard: those that may be received.
    members: BTreeSet<Sequence>,
    /// How many are out.
    out: u32,
    /// Its place among those whose turn it can be.
    turn: Option<(u32, Sequence)>,
}

/// The groups of a queue.
#[derive(Debug)]
pub(super) struct Groups {
    fifo: bool,
    by_id: HashMap<GroupId, Group>,
    ids: HashMap<Arc<str>, GroupId>,
    last_id: GroupId,
    /// Those that can give a message: how many they have out, roughly; their first message; their number.
    turns: BTreeSet<(u32, Sequence, GroupId)>,
}

impl Groups {
    pub(super) fn new(fifo: bool) -> Self {
        let by_id = HashMap::from([(NONE, Group::default())]);
        Self { fifo, by_id, ids: HashMap::new(), last_id: NONE, turns: BTreeSet::new() }
    }

    /// Counts a message to its group.
    pub(super) fn join(&mut self, name: Option<&str>, sequence: Sequence) -> GroupId {
        let id = name.map_or(NONE, |name| self.id(name));
        let group = self.by_id.get_mut(&id).expect("it was found or made above");
        group.total += 1;
        if self.fifo {
            group.members.insert(sequence);
        }
        id
    }

    fn id(&mut self, name: &str) -> GroupId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        // Numbers are used again once they are free: four billion groups may come and go.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.by_id.contains_key(&self.last_id) {
                break;
            }
        }
        let name: Arc<str> = name.into();
        self.ids.insert(Arc::clone(&name), self.last_id);
        self.by_id.insert(self.last_id, Group { name, ..Group::default() });
        self.last_id
    }

    /// Counts a message no more. It is out already.
    pub(super) fn leave(&mut self, id: GroupId, sequence: Sequence, is_visible: impl Fn(Sequence) -> bool) {
        let Some(group) = self.by_id.get_mut(&id) else { return };
        group.total -= 1;
        group.members.remove(&sequence);
        group.out = group.out.saturating_sub(1);
        if group.total == 0 && id != NONE {
            if let Some((load, first)) = group.turn {
                self.turns.remove(&(load, first, id));
            }
            self.ids.remove(&group.name);
            self.by_id.remove(&id);
        } else {
            self.queue(id, is_visible);
        }
    }

    /// The name of a group, if it is one.
    pub(super) fn name(&self, id: GroupId) -> Option<&str> {
        self.by_id.get(&id).filter(|_| id != NONE).map(|group| &*group.name)
    }

    /// A message of the group changed its state.
    pub(super) fn changed(
        &mut self,
        id: GroupId,
        sequence: Sequence,
        before: State,
        after: State,
        is_visible: impl Fn(Sequence) -> bool,
    ) {
        let Some(group) = self.by_id.get_mut(&id) else { return };
        match (before.is_out(), after.is_out()) {
            (false, true) => group.out += 1,
            (true, false) => group.out -= 1,
            _ => {}
        }
        if !self.fifo {
            if after == State::Visible {
                group.members.insert(sequence);
            } else {
                group.members.remove(&sequence);
            }
        }
        self.queue(id, is_visible);
    }

    /// Gives the group the turn that it deserves.
    pub(super) fn queue(&mut self, id: GroupId, is_visible: impl Fn(Sequence) -> bool) {
        let Some(group) = self.by_id.get_mut(&id) else { return };
        let first = group.members.first().copied();
        let turn = match first {
            Some(first) if self.fifo => (group.out == 0 && is_visible(first)).then_some((0, first)),
            // Messages without a group are nobody's flood. Of the others, each doubling of what is out is a step back.
            Some(first) if id == NONE => Some((0, first)),
            Some(first) => Some((u32::BITS - group.out.leading_zeros(), first)),
            None => None,
        };
        if turn != group.turn {
            if let Some((load, first)) = std::mem::replace(&mut group.turn, turn) {
                self.turns.remove(&(load, first, id));
            }
            if let Some((load, first)) = turn {
                self.turns.insert((load, first, id));
            }
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<GroupId> {
        self.turns.first().map(|(_, _, id)| *id)
    }

    /// The first messages that a group would give: one of a standard queue, and of a FIFO queue as many as may follow
    /// each other.
    pub(super) fn first(
        &self,
        id: GroupId,
        limit: usize,
        is_visible: impl Fn(Sequence) -> bool,
    ) -> Vec<Sequence> {
        let members = self.by_id.get(&id).map(|group| &group.members);
        let limit = if self.fifo { limit } else { limit.min(1) };
        members.into_iter().flatten().copied().take_while(|at| is_visible(*at)).take(limit).collect()
    }
}
