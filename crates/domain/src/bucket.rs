//! A bucket of tokens: how much may happen at once, and how fast it may go on. Whose time it goes by is the caller's
//! choice: moments are spans since whenever the caller counts from.

use std::time::Duration;

/// A bucket that is full at first and fills at a steady rate, kept as the moment at which it will be full. A rest earns
/// no more than it holds.
///
/// What is taken and what it holds are given as the time in which it fills by as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// Takes something, if there is so much. A bucket whose clock was set back is empty, and fills from then on.
    pub fn take(&mut self, price: Duration, holds: Duration, now: Duration) -> bool {
        let empty = now.saturating_add(holds);
        self.full_at = self.full_at.clamp(now, empty);
        let after = self.full_at.saturating_add(price);
        let is_there = after <= empty;
        if is_there {
            self.full_at = after;
        }
        is_there
    }

    /// Takes something although there may not be so much yet, and tells how long until there is.
    pub fn take_ahead(&mut self, price: Duration, holds: Duration, now: Duration) -> Duration {
        self.full_at = self.full_at.max(now).saturating_add(price);
        self.full_at.saturating_sub(now.saturating_add(holds))
    }

    /// Whether it holds all it can.
    pub fn is_full(self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDS: Duration = Duration::from_secs(10);
    const PRICE: Duration = Duration::from_secs(2);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// How many are let in at one moment.
    fn drain(bucket: &mut Bucket, now: Duration) -> usize {
        (0..100).take_while(|_| bucket.take(PRICE, HOLDS, now)).count()
    }

    #[test]
    fn it_empties_at_once_and_fills_continuously() {
        let mut bucket = Bucket::default();
        assert!(bucket.is_full(at(100)));
        assert_eq!(drain(&mut bucket, at(100)), 5);
        assert_eq!(drain(&mut bucket, at(101)), 0);
        assert_eq!(drain(&mut bucket, at(102)), 1);
        assert_eq!(drain(&mut bucket, at(107)), 2);
        assert!(!bucket.is_full(at(115)));
        assert!(bucket.is_full(at(116)));
    }

    #[test]
    fn a_rest_earns_no_more_than_it_holds() {
        let mut bucket = Bucket::default();
        assert_eq!(drain(&mut bucket, at(0)), 5);
        assert_eq!(drain(&mut bucket, at(10_000)), 5);
        assert_eq!(bucket.take_ahead(HOLDS, HOLDS, at(20_000)), at(0));
        assert_eq!(bucket.take_ahead(PRICE, HOLDS, at(20_000)), PRICE);
    }

    #[test]
    fn what_is_taken_ahead_waits_until_it_is_there() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take_ahead(at(10), HOLDS, at(50)), at(0));
        assert_eq!(bucket.take_ahead(at(3), HOLDS, at(50)), at(3));
        assert_eq!(bucket.take_ahead(at(1), HOLDS, at(52)), at(2));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody_for_long() {
        let mut bucket = Bucket::default();
        assert_eq!(drain(&mut bucket, at(10_000)), 5);
        assert_eq!(drain(&mut bucket, at(100)), 0);
        assert_eq!(drain(&mut bucket, at(110)), 5);
    }

    #[test]
    fn what_costs_more_than_it_holds_is_never_there() {
        assert!(!Bucket::default().take(HOLDS + Duration::from_nanos(1), HOLDS, at(1)));
        assert!(!Bucket::default().take(Duration::MAX, HOLDS, at(1)));
    }
}
