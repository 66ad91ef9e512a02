//! How fast a streamed response may go: freely at first, then at a steady rate.

use std::time::Duration;

use domain::{Bucket, limits};
use tokio::time::Instant;

/// What a streamed response may take of the network.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes that may go as fast as they can.
    pub burst_bytes: u64,
    /// The rate of those that follow.
    pub bytes_per_second: u64,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self { burst_bytes: limits::STREAM_BURST_BYTES, bytes_per_second: limits::STREAM_BYTES_PER_SECOND }
    }
}

impl Bandwidth {
    /// How long so many bytes take at the steady rate.
    fn span(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What one response has taken: a bucket that holds the burst and fills at the rate.
pub(crate) struct Pace {
    bandwidth: Bandwidth,
    bucket: Bucket,
    began: Instant,
}

impl Pace {
    pub(crate) fn new(bandwidth: Bandwidth, now: Instant) -> Self {
        Self { bandwidth, bucket: Bucket::default(), began: now }
    }

    /// Takes bytes out, and says when they may go if that is not now.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let (price, holds) =
            (self.bandwidth.span(bytes as u64), self.bandwidth.span(self.bandwidth.burst_bytes));
        let wait = self.bucket.take_ahead(price, holds, now.saturating_duration_since(self.began));
        (!wait.is_zero()).then(|| now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = 1000;

    /// Each step: how long after the one before bytes come, how many, and how long they wait.
    #[track_caller]
    fn check(steps: &[(u64, usize, u64)]) {
        let bandwidth = Bandwidth { burst_bytes: 3000, bytes_per_second: RATE as u64 };
        let mut now = Instant::now();
        let mut pace = Pace::new(bandwidth, now);
        for (after_ms, bytes, waits_ms) in steps {
            now += Duration::from_millis(*after_ms);
            let waited = pace.take(*bytes, now).map_or(Duration::ZERO, |at| at - now);
            assert_eq!(waited, Duration::from_millis(*waits_ms), "{bytes} after {after_ms} ms in {steps:?}");
            now += waited;
        }
    }

    #[test]
    fn the_burst_goes_freely_and_what_follows_at_the_rate() {
        check(&[(0, 1000, 0), (0, 2000, 0), (0, 1000, 1000), (0, 500, 500), (0, 1, 1)]);
    }

    #[test]
    fn whoever_is_slower_than_the_rate_never_waits() {
        check(&[(0, 3000, 0), (1000, 1000, 0), (2000, 2000, 0), (0, 100, 100)]);
    }

    #[test]
    fn a_rest_earns_no_more_than_the_burst() {
        check(&[(0, 3000, 0), (60_000, 3000, 0), (0, 1000, 1000)]);
    }
}
