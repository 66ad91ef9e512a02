//! What many measurements of one thing say.

use std::time::Duration;

/// Measurements in order. There is at least one.
pub struct Spread(Vec<Duration>);

impl Spread {
    pub fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    /// The nearest-rank percentile: a value that was really measured.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    pub fn max(&self) -> Duration {
        self.percentile(100)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u64, percent: usize, expected: u64) {
        let spread = Spread::of((1..=count).rev().map(Duration::from_millis).collect());
        assert_eq!(spread.percentile(percent), Duration::from_millis(expected), "{percent}% of {count}");
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        check(1, 50, 1);
        check(4, 50, 2);
        check(5, 50, 3);
        check(30, 99, 30);
        check(100, 99, 99);
        check(200, 99, 198);
        check(200, 100, 200);
    }
}
