//! Walks events in order of time: a group's by its own order, a few streams' by merging theirs.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use store::{Scan, Snapshot};

use super::position::{Position, Range};
use crate::record::{EVENTS, EventRecord, STREAM_EVENTS};

/// Keys read ahead of each stream while several are merged.
const READ_AHEAD: usize = 128;

/// A walk through some of a group's events.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The group's number.
    pub group: u64,
    /// Which events.
    pub range: Range,
    /// From the latest to the earliest.
    pub reverse: bool,
}

impl Walk {
    /// All streams of the group.
    pub fn group(
        self,
        snapshot: &Snapshot<'_>,
        mut visitor: impl FnMut(Position, &EventRecord) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        let Range { from, to } = self.range;
        let scan = Scan::prefix((self.group,))
            .at_least((self.group, from.at, from.number))
            .below((self.group, to.at, to.number));
        let scan = if self.reverse { scan.reverse() } else { scan };
        snapshot.visit(&EVENTS, &scan, |(_, at, number), event| visitor(Position { at, number }, &event))
    }

    /// Some streams, by their numbers.
    pub fn streams(
        self,
        snapshot: &Snapshot<'_>,
        streams: &[u64],
        mut visitor: impl FnMut(Position, &EventRecord) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        let mut ahead: Vec<Ahead> = streams.iter().map(|stream| Ahead::new(*stream, self.range)).collect();
        loop {
            for stream in &mut ahead {
                stream.fill(snapshot, self)?;
            }
            let heads = ahead.iter_mut().filter(|stream| !stream.keys.is_empty());
            let next = if self.reverse {
                heads.max_by_key(|stream| stream.keys[0])
            } else {
                heads.min_by_key(|stream| stream.keys[0])
            };
            let Some(position) = next.and_then(|stream| stream.keys.pop_front()) else { return Ok(()) };
            let Some(event) = snapshot.get(&EVENTS, (self.group, position.at, position.number))? else {
                continue;
            };
            if visitor(position, &event).is_break() {
                return Ok(());
            }
        }
    }
}

/// The next keys of one stream.
struct Ahead {
    stream: u64,
    keys: VecDeque<Position>,
    /// What was not read yet; nothing when all was.
    rest: Option<Range>,
}

impl Ahead {
    fn new(stream: u64, range: Range) -> Self {
        Self { stream, keys: VecDeque::new(), rest: Some(range) }
    }

    fn fill(&mut self, snapshot: &Snapshot<'_>, walk: Walk) -> Result<(), store::Error> {
        let Some(range) = self.rest.filter(|_| self.keys.is_empty()) else { return Ok(()) };
        let (group, stream) = (walk.group, self.stream);
        let Range { from, to } = range;
        let scan = Scan::prefix((group, stream))
            .at_least((group, stream, from.at, from.number))
            .below((group, stream, to.at, to.number))
            .limit(READ_AHEAD);
        let scan = if walk.reverse { scan.reverse() } else { scan };
        let keys = snapshot.keys(&STREAM_EVENTS, &scan)?;
        self.keys = keys.into_iter().map(|(_, _, at, number)| Position { at, number }).collect();
        self.rest = match self.keys.back() {
            Some(last) if self.keys.len() == READ_AHEAD => {
                Some(if walk.reverse { range.up_to(*last) } else { range.from(last.next()) })
            }
            _ => None,
        };
        Ok(())
    }
}
