//! How often something may happen: a token bucket in one atomic, on the machine's own clock.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A bucket, kept as the moment at which it will be full. What is never asked for earns no more than the bucket holds.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    full_at_ns: AtomicU64,
}

/// Moments are counted from here.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Pace {
    /// Takes one, if the bucket, which holds `count` and fills in `per`, is not empty.
    pub(crate) fn take(&self, count: u32, per: Duration, now: Instant) -> bool {
        let (Ok(per_ns), Ok(now_ns)) = (u64::try_from(per.as_nanos()), moment_ns(now)) else { return true };
        if count == 0 {
            return false;
        }
        let each_ns = (per_ns / u64::from(count)).max(1);
        self.full_at_ns
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |full_at| {
                let next = full_at.max(now_ns) + each_ns;
                (next - now_ns <= per_ns).then_some(next)
            })
            .is_ok()
    }
}

fn moment_ns(now: Instant) -> Result<u64, std::num::TryFromIntError> {
    u64::try_from(now.saturating_duration_since(*EPOCH).as_nanos())
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
