//! What an environment waits for in time: a handful of moments behind one timer.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Something that will be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The Init phase ends.
    Init,
    /// What was initialised before should be restored.
    Restore,
    /// The invocation ends.
    Invocation,
    /// The runtime should have asked for the next event.
    Release,
    /// A runtime whose response broke off should have been seen to end.
    Truncation,
    /// The environment is frozen.
    Rest,
    /// The environment has waited too long for another invocation.
    Expiry,
    /// The runtime or the extensions should have ended.
    Shutdown,
}

const KINDS: [Due; 8] = [
    Due::Init,
    Due::Restore,
    Due::Invocation,
    Due::Release,
    Due::Truncation,
    Due::Rest,
    Due::Expiry,
    Due::Shutdown,
];

/// The moments that are set. Setting one on the invoke path is a store: the timer is moved only when it would ring too
/// late, and one that rings too early is set again.
pub(super) struct Deadlines {
    at: [Option<Instant>; KINDS.len()],
    timer: Pin<Box<Sleep>>,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { at: [None; KINDS.len()], timer: Box::pin(sleep(Duration::from_secs(3600))) }
    }

    pub(super) fn set(&mut self, due: Due, at: Instant) {
        self.at[due as usize] = Some(at);
    }

    pub(super) fn clear(&mut self, due: Due) {
        self.at[due as usize] = None;
    }

    /// Waits for the first moment; for ever if there is none.
    pub(super) async fn wait(&mut self) -> Due {
        loop {
            let first = KINDS.into_iter().filter_map(|due| Some((self.at[due as usize]?, due)));
            let Some((at, due)) = first.min_by_key(|(at, _)| *at) else {
                return std::future::pending().await;
            };
            if self.timer.is_elapsed() || at < self.timer.deadline() {
                self.timer.as_mut().reset(at);
            }
            self.timer.as_mut().await;
            if at <= Instant::now() {
                self.clear(due);
                return due;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_moment_that_is_still_set_comes_first() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new();
        deadlines.set(Due::Expiry, start + Duration::from_secs(9000));
        deadlines.set(Due::Rest, start + Duration::from_millis(10));
        deadlines.set(Due::Invocation, start + Duration::from_secs(3));
        deadlines.clear(Due::Rest);
        assert_eq!(deadlines.wait().await, Due::Invocation);
        assert_eq!(start.elapsed().as_secs(), 3);
        assert_eq!(deadlines.wait().await, Due::Expiry);
        assert!(start.elapsed() >= Duration::from_secs(9000));
    }
}
