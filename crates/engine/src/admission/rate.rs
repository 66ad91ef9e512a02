//! How often something may happen, on the machine's own clock.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::Bucket;

/// How many may be let in at once, and how fast it goes on.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    bucket: Mutex<Bucket>,
}

/// Moments are counted from here.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Pace {
    /// Takes one, if the bucket, which holds `count` and fills in `per`, is not empty.
    pub(crate) fn take(&self, count: u32, per: Duration, now: Instant) -> bool {
        let Some(each) = per.checked_div(count) else { return false };
        let now = now.saturating_duration_since(*EPOCH);
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(each, per, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many as it gets.
    fn drain(pace: &Pace, now: Instant) -> usize {
        (0..10_000).take_while(|_| pace.take(1000, Duration::from_secs(10), now)).count()
    }

    #[test]
    fn the_bucket_empties_at_once_and_fills_continuously() {
        let (pace, now) = (Pace::default(), *EPOCH + Duration::from_secs(100));
        assert_eq!(drain(&pace, now), 1000);
        assert_eq!(drain(&pace, now + Duration::from_millis(9)), 0);
        assert_eq!(drain(&pace, now + Duration::from_millis(10)), 1);
        assert_eq!(drain(&pace, now + Duration::from_secs(5)), 499);
    }

    #[test]
    fn a_rest_earns_no_more_than_the_bucket_holds() {
        let (pace, now) = (Pace::default(), *EPOCH + Duration::from_secs(100));
        assert_eq!(drain(&pace, now), 1000);
        assert_eq!(drain(&pace, now + Duration::from_secs(3600)), 1000);
    }

    #[test]
    fn nothing_may_happen_where_the_bucket_holds_nothing() {
        assert!(!Pace::default().take(0, Duration::from_secs(1), Instant::now()));
    }
}
