//! How many sandboxes of one kind to keep ready, and how fast they may be made: decided from what was asked for, and
//! when. Pure: the moment is always an argument.

use std::time::{Duration, Instant};

/// Kept ready as long as the kind is in use.
const FLOOR: usize = 2;
/// After so much time in which none was taken, half as many are kept.
const HALVED_AFTER: Duration = Duration::from_secs(60);
/// After so much time in which none was taken, none is kept.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);

/// What is known of the demand for one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    max: usize,
    goal: usize,
    /// Functions that were announced and have not been started since.
    announced: usize,
    last: Instant,
}

impl Demand {
    /// Of a kind that is wanted for the first time.
    pub(super) fn new(max: usize, now: Instant) -> Self {
        Self { max: max.max(FLOOR), goal: FLOOR, announced: 0, last: now }
    }

    /// A function was published that will want one when it is first invoked.
    pub(super) fn announce(&mut self, now: Instant) {
        self.settle(now);
        self.announced = (self.announced + 1).min(self.max);
        self.last = now;
    }

    /// One was taken, or would have been had there been one.
    pub(super) fn taken(&mut self, found: bool, now: Instant) {
        self.settle(now);
        self.announced = self.announced.saturating_sub(1);
        if !found {
            self.goal = (self.goal * 2).min(self.max);
        }
        self.last = now;
    }

    /// How many to keep now.
    pub(super) fn goal(&self, now: Instant) -> usize {
        let idle = now.saturating_duration_since(self.last);
        if idle >= FORGOTTEN_AFTER {
            return 0;
        }
        self.halved(self.goal, now).max(self.halved(self.announced, now)).max(FLOOR)
    }

    /// What is left of a number after the time in which none was taken.
    fn halved(&self, count: usize, now: Instant) -> usize {
        let halvings = now.saturating_duration_since(self.last).as_secs() / HALVED_AFTER.as_secs();
        u32::try_from(halvings).ok().and_then(|by| count.checked_shr(by)).unwrap_or(0)
    }

    /// When [`Demand::goal`] becomes less, if nothing more is asked for.
    pub(super) fn less_at(&self, now: Instant) -> Option<Instant> {
        let idle = now.saturating_duration_since(self.last);
        if idle >= FORGOTTEN_AFTER {
            return None;
        }
        if self.goal(now) <= FLOOR {
            return Some(self.last + FORGOTTEN_AFTER);
        }
        let steps = u32::try_from(idle.as_secs() / HALVED_AFTER.as_secs()).unwrap_or(u32::MAX - 1);
        Some(self.last + HALVED_AFTER * (steps + 1))
    }

    /// Writes down what time alone has changed.
    fn settle(&mut self, now: Instant) {
        self.goal = self.halved(self.goal, now).max(FLOOR);
        self.announced = self.halved(self.announced, now);
    }
}

/// A token bucket of processor time: making sandboxes ahead of time may take a part of the machine, however many are
/// wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// How much time must pass for one unit of processor time that is spent.
    price: u32,
    /// When everything that was spent is paid for.
    paid_at: Instant,
}

/// What may be spent at once by whoever has not spent for a while.
const SAVINGS_MAX: Duration = Duration::from_millis(500);

impl Budget {
    /// A quarter of a machine with so many processors.
    pub(super) fn quarter_of(processors: usize, now: Instant) -> Self {
        let processors = u32::try_from(processors.max(1)).unwrap_or(u32::MAX);
        Self { price: 4u32.div_ceil(processors), paid_at: now }
    }

    /// How long to wait before spending anything.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.paid_at.saturating_duration_since(now + SAVINGS_MAX)
    }

    /// So much processor time goes.
    pub(super) fn spend(&mut self, cost: Duration, now: Instant) {
        self.paid_at = self.paid_at.max(now) + cost * self.price;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_in_use_is_kept_at_the_floor_and_what_is_not_at_nothing() {
        let start = Instant::now();
        let demand = Demand::new(64, start);
        assert_eq!(demand.goal(start), FLOOR);
        assert_eq!(demand.goal(start + 14 * MINUTE), FLOOR);
        assert_eq!(demand.goal(start + FORGOTTEN_AFTER), 0);
    }

    #[test]
    fn the_goal_doubles_whenever_none_was_left_and_has_a_limit() {
        let now = Instant::now();
        let mut demand = Demand::new(20, now);
        for (found, goal) in
            [(true, 2), (false, 4), (true, 4), (false, 8), (false, 16), (false, 20), (false, 20)]
        {
            demand.taken(found, now);
            assert_eq!(demand.goal(now), goal);
        }
    }

    #[test]
    fn announced_functions_are_prepared_for_until_they_start() {
        let now = Instant::now();
        let mut demand = Demand::new(20, now);
        (0..10).for_each(|_| demand.announce(now));
        assert_eq!(demand.goal(now), 10);
        (0..9).for_each(|_| demand.taken(true, now));
        assert_eq!(demand.goal(now), FLOOR);
        (0..100).for_each(|_| demand.announce(now));
        assert_eq!(demand.goal(now), 20);
    }

    #[test]
    fn a_quiet_time_halves_the_goal_again_and_again() {
        let start = Instant::now();
        let mut demand = Demand::new(64, start);
        (0..10).for_each(|_| demand.taken(false, start));
        let mut now = start;
        let mut goals = Vec::new();
        while let Some(less_at) = demand.less_at(now) {
            goals.push(demand.goal(now));
            assert!(demand.goal(less_at) < demand.goal(now) && less_at > now);
            now = less_at;
        }
        assert_eq!(goals, [64, 32, 16, 8, 4, 2]);
        assert_eq!((demand.goal(now), now - start), (0, FORGOTTEN_AFTER));
    }

    #[test]
    fn demand_after_a_quiet_time_grows_from_what_was_left() {
        let start = Instant::now();
        let mut demand = Demand::new(64, start);
        (0..10).for_each(|_| demand.taken(false, start));
        demand.taken(true, start + 2 * MINUTE);
        assert_eq!(demand.goal(start + 2 * MINUTE), 16);
        demand.taken(true, start + 60 * MINUTE);
        assert_eq!(demand.goal(start + 60 * MINUTE), FLOOR);
    }

    #[test]
    fn a_burst_is_allowed_and_then_a_part_of_the_machine() {
        let start = Instant::now();
        let mut budget = Budget::quarter_of(2, start);
        let (cost, mut now) = (Duration::from_millis(30), start);
        let mut at_once = 0;
        while budget.wait(now).is_zero() {
            budget.spend(cost, now);
            at_once += 1;
        }
        assert_eq!(at_once, 9);
        for _ in 0..100 {
            now += budget.wait(now);
            budget.spend(cost, now);
        }
        let spent = cost * 100;
        assert!(
            now - start > spent && now - start <= spent * 2 + Duration::from_millis(100),
            "{:?}",
            now - start
        );
    }
}
