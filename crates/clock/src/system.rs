//! Waiting for a moment of the machine's clock.

use std::time::Duration;

use domain::{Clock as _, SystemClock, Timestamp};

/// How long to sleep at most before looking at the clock again: a machine that was suspended, or whose clock was set,
/// is late by no more than this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Returns when the machine's clock shows `moment` or later.
pub async fn sleep_until(moment: Timestamp) {
    loop {
        let left = moment.0.saturating_sub(SystemClock.now().0);
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
        tokio::time::sleep(Duration::from_millis(left).min(LOOK_AGAIN)).await;
    }
}
