//! How long a client may keep us waiting for its body. Only our waiting counts, not what is done with what came.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::gateway::body::Pace;

/// What is left of the patience with one client: no wait may be longer than the grace, and all of them together no
/// longer than the grace and what the bytes so far earn at the least rate.
pub(super) struct Patience {
    pace: Pace,
    bytes: u64,
    waited: Duration,
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, bytes: 0, waited: Duration::ZERO, since: None, alarm: None }
    }

    /// Nothing is there yet. Ready when patience ends.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            let deadline = now + self.left();
            self.since = Some(now);
            match &mut self.alarm {
                Some(alarm) => alarm.as_mut().reset(deadline),
                None => self.alarm = Some(Box::pin(sleep_until(deadline))),
            }
        }
        self.alarm.as_mut().map_or(Poll::Pending, |alarm| alarm.as_mut().poll(cx))
    }

    /// Something came.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    fn left(&self) -> Duration {
        let earned = self.bytes as f64 / f64::from(self.pace.rate_bytes_per_second_min);
        let earned = Duration::try_from_secs_f64(earned).unwrap_or(Duration::MAX);
        let all = self.pace.grace.saturating_add(earned).saturating_sub(self.waited);
        all.min(self.pace.grace)
    }
}
