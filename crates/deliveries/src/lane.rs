//! One target's deliveries: which is next, and how many at once. Pure books; [`crate::worker`] keeps the time.
//!
//! The turns that are next are in memory, up to [`WINDOW_MAX`]; later ones stay on the disk until these are done.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use clock::Due;
use domain::Timestamp;

use crate::record::{Backoff, Turn};

/// Turns of a lane in memory.
pub(crate) const WINDOW_MAX: usize = 1_024;
/// Payloads of a lane under way, in bytes.
const UNDER_WAY_BYTES_MAX: usize = 64 << 20;
/// Attempts at once with which a lane begins: quick targets gain nothing from more.
const AT_ONCE_FIRST: usize = 8;
/// More at once are tried when nothing came free for so long.
const CROWDED: Duration = Duration::from_millis(250);
/// The longest that grows to, while the target refuses more.
const CROWDED_MAX: Duration = Duration::from_secs(60);

/// The books of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The next turns. All others, if there are, are on the disk and `beyond`.
    window: BTreeSet<Turn>,
    beyond: bool,
    /// Set while the window is being filled from the disk; `missed` if a turn came meanwhile that did not fit.
    refilling: bool,
    missed: bool,
    /// What is being attempted, with its payload's size.
    under_way: HashMap<Turn, usize>,
    at_once: usize,
    at_once_max: usize,
    crowded: Duration,
    paused: Option<Timestamp>,
    pauses: u32,
    /// All deliveries of the lane.
    count: usize,
    /// Virtual time does not go on while something is due or under way.
    busy: Option<Due>,
}

/// What a lane does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Attempt this.
    Start(Turn),
    /// Look for turns on the disk.
    Refill,
    /// Nothing before this moment, unless something comes.
    WaitUntil(Timestamp),
    /// Something under way must end first; if nothing does for so long, try more at once.
    Crowded(Duration),
    /// Something under way must end first.
    Wait,
    /// There is nothing left.
    End,
}

impl Lane {
    /// A lane whose deliveries, if any, are on the disk: so many.
    pub(crate) fn new(at_once_max: usize, count: usize) -> Self {
        Self {
            window: BTreeSet::new(),
            beyond: count > 0,
            refilling: false,
            missed: false,
            under_way: HashMap::new(),
            at_once: AT_ONCE_FIRST.min(at_once_max),
            at_once_max,
            crowded: CROWDED,
            paused: None,
            pauses: 0,
            count,
            busy: None,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// A delivery was stored.
    pub(crate) fn arrived(&mut self, turn: Turn, busy: impl FnOnce() -> Due) {
        self.count += 1;
        self.busy.get_or_insert_with(busy);
        self.insert(turn);
    }

    fn insert(&mut self, turn: Turn) {
        let is_next = !self.beyond || self.refilling || self.window.last().is_some_and(|last| turn < *last);
        if is_next && self.window.len() < WINDOW_MAX {
            self.window.insert(turn);
        } else if is_next && self.window.last().is_some_and(|last| turn < *last) {
            self.window.pop_last();
            self.window.insert(turn);
            self.beyond = true;
            self.missed = true;
        } else {
            self.beyond = true;
            self.missed = true;
        }
    }

    /// What is found on the disk, in order; `all` if nothing comes after it.
    pub(crate) fn refilled(&mut self, found: impl IntoIterator<Item = Turn>, all: bool) {
        self.refilling = false;
        self.beyond = !all || self.missed;
        for turn in found {
            if !self.under_way.contains_key(&turn) {
                self.window.insert(turn);
            }
        }
        while self.window.len() > WINDOW_MAX {
            self.window.pop_last();
            self.beyond = true;
        }
    }

    /// How many turns to look for on the disk: some of them may be under way.
    pub(crate) fn refill_count(&self) -> usize {
        WINDOW_MAX + self.under_way.len()
    }

    pub(crate) fn next(&mut self, now: Timestamp) -> Step {
        if self.window.is_empty() && self.beyond {
            (self.refilling, self.missed) = (true, false);
            return Step::Refill;
        }
        let Some(first) = self.window.first().copied() else {
            if self.under_way.is_empty() {
                self.busy = None;
                return Step::End;
            }
            return Step::Wait;
        };
        let moment = first.0.max(self.paused.unwrap_or_default());
        if moment > now {
            if self.under_way.is_empty() {
                self.busy = None;
            }
            return Step::WaitUntil(moment);
        }
        let bytes: usize = self.under_way.values().sum();
        if bytes >= UNDER_WAY_BYTES_MAX {
            return Step::Wait;
        }
        if self.under_way.len() < self.at_once {
            self.window.pop_first();
            self.under_way.insert(first, 0);
            return Step::Start(first);
        }
        if self.at_once < self.at_once_max { Step::Crowded(self.crowded) } else { Step::Wait }
    }

    /// How large the payload of what is under way is.
    pub(crate) fn weighs(&mut self, turn: Turn, bytes: usize) {
        if let Some(known) = self.under_way.get_mut(&turn) {
            *known = bytes;
        }
    }

    /// The moment of one has come, or may have.
    pub(crate) fn woke(&mut self, due: Due) {
        self.busy.get_or_insert(due);
    }

    /// Nothing under way ended for a while.
    pub(crate) fn grow(&mut self) {
        self.at_once = (self.at_once * 2).min(self.at_once_max);
    }

    /// A delivery is gone, or has another turn now.
    pub(crate) fn finished(&mut self, turn: Turn) {
        if self.under_way.remove(&turn).is_some() {
            self.count = self.count.saturating_sub(1);
        }
        (self.paused, self.pauses, self.crowded) = (None, 0, CROWDED);
    }

    /// The target takes no more now.
    pub(crate) fn refused(&mut self, turn: Turn, now: Timestamp, within: Option<Duration>) {
        if self.under_way.remove(&turn).is_none() {
            return;
        }
        self.put_back(turn);
        if !self.under_way.is_empty() {
            // It takes as many as it has: the next when one of them is done.
            self.at_once = self.under_way.len();
            self.crowded = (self.crowded * 2).min(CROWDED_MAX);
            return;
        }
        self.pauses += 1;
        let pause = Backoff::default().after(self.pauses);
        self.paused = Some(now.plus(within.map_or(pause, |within| within.min(pause))));
    }

    fn put_back(&mut self, turn: Turn) {
        self.window.insert(turn);
        if self.window.len() > WINDOW_MAX {
            self.window.pop_last();
            self.beyond = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn turn(number: u64) -> Turn {
        (Timestamp(0), number)
    }

    fn lane(turns: impl IntoIterator<Item = Turn>) -> Lane {
        let mut lane = Lane::new(100, 0);
        turns.into_iter().for_each(|turn| lane.arrived(turn, || clock::Time::system().busy()));
        lane
    }

    #[test]
    fn turns_are_taken_in_order_up_to_what_goes_at_once() {
        let mut lane = lane((0..20).rev().map(turn));
        for number in 0..AT_ONCE_FIRST as u64 {
            assert_eq!(lane.next(NOW), Step::Start(turn(number)));
        }
        assert_eq!(lane.next(NOW), Step::Crowded(CROWDED));
        lane.finished(turn(3));
        assert_eq!(lane.next(NOW), Step::Start(turn(AT_ONCE_FIRST as u64)));
        lane.grow();
        assert_eq!(lane.next(NOW), Step::Start(turn(AT_ONCE_FIRST as u64 + 1)));
    }

    #[test]
    fn what_is_due_later_is_waited_for() {
        let mut lane = lane([(Timestamp(5_000), 1), (Timestamp(3_000), 2)]);
        assert_eq!(lane.next(NOW), Step::WaitUntil(Timestamp(3_000)));
        assert_eq!(lane.next(Timestamp(3_000)), Step::Start((Timestamp(3_000), 2)));
        lane.finished((Timestamp(3_000), 2));
        assert_eq!(lane.next(Timestamp(3_000)), Step::WaitUntil(Timestamp(5_000)));
    }

    #[test]
    fn memory_holds_a_window_of_a_long_backlog_and_nothing_is_forgotten() {
        let total = 5 * WINDOW_MAX as u64;
        let mut lane = lane((0..total).map(turn));
        assert_eq!(lane.window.len(), WINDOW_MAX);
        let mut taken = 0;
        loop {
            match lane.next(NOW) {
                Step::Start(got) => {
                    assert_eq!(got, turn(taken));
                    taken += 1;
                    lane.finished(got);
                }
                Step::Refill => {
                    let found: Vec<Turn> = (taken..total).take(lane.refill_count()).map(turn).collect();
                    let all = found.len() < lane.refill_count();
                    lane.refilled(found, all);
                }
                Step::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((taken, lane.count()), (total, 0));
    }

    #[test]
    fn what_comes_while_the_disk_is_read_is_not_lost() {
        let mut lane = Lane::new(100, 3);
        assert_eq!(lane.next(NOW), Step::Refill);
        lane.arrived(turn(9), || clock::Time::system().busy());
        lane.refilled([turn(1), turn(2), turn(3)], true);
        for number in [1, 2, 3, 9] {
            assert_eq!(lane.next(NOW), Step::Start(turn(number)));
        }
    }

    #[test]
    fn a_target_that_takes_no_more_is_offered_the_next_when_one_is_done() {
        let mut lane = lane((0..5).map(turn));
        for number in 0..3 {
            assert_eq!(lane.next(NOW), Step::Start(turn(number)));
        }
        lane.refused(turn(2), NOW, None);
        assert!(matches!(lane.next(NOW), Step::Crowded(_)));
        lane.finished(turn(0));
        assert_eq!(lane.next(NOW), Step::Start(turn(2)));
    }

    #[test]
    fn a_target_that_takes_nothing_is_asked_again_with_growing_intervals() {
        let mut lane = lane([turn(1)]);
        let mut now = NOW;
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(lane.next(now), Step::Start(turn(1)));
            lane.refused(turn(1), now, None);
            now = now.plus(Duration::from_secs(seconds));
            assert_eq!(lane.next(NOW), Step::WaitUntil(now));
        }
        assert_eq!(lane.next(now), Step::Start(turn(1)));
        lane.refused(turn(1), now, Some(Duration::from_secs(7)));
        assert_eq!(lane.next(now), Step::WaitUntil(now.plus(Duration::from_secs(7))));
    }

    #[test]
    fn large_payloads_go_fewer_at_once() {
        let mut lane = lane((0..5).map(turn));
        assert_eq!(lane.next(NOW), Step::Start(turn(0)));
        lane.weighs(turn(0), UNDER_WAY_BYTES_MAX);
        assert_eq!(lane.next(NOW), Step::Wait);
        lane.finished(turn(0));
        assert_eq!(lane.next(NOW), Step::Start(turn(1)));
    }
}
