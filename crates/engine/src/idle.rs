//! Which idle environments stay: as many as the memory budget holds, the ones that cost most to re-create first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use crate::placement::{EnvironmentId, IdleEntry};

/// How much memory idle environments hold, and a bell for when that is too much.
pub(crate) struct IdleMemory {
    budget_bytes: u64,
    held_bytes: AtomicU64,
    exceeded: Notify,
}

impl IdleMemory {
    pub(crate) fn new(budget_mib: u64) -> Self {
        Self {
            budget_bytes: budget_mib.saturating_mul(1024 * 1024),
            held_bytes: AtomicU64::new(0),
            exceeded: Notify::new(),
        }
    }

    pub(crate) fn put(&self, bytes: u64) {
        if self.held_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes > self.budget_bytes {
            self.exceeded.notify_one();
        }
    }

    pub(crate) fn take(&self, bytes: u64) {
        self.held_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// How much they hold now.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Acquire)
    }

    /// Waits until the budget is exceeded.
    pub(crate) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }

    /// How much must go.
    pub(crate) fn excess_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Acquire).saturating_sub(self.budget_bytes)
    }
}

/// The environments to stop so that `bytes` come free: those whose re-creation costs least for the memory they hold
/// and the time they have waited.
pub(crate) fn victims(mut idle: Vec<IdleEntry>, bytes: u64, now: Instant) -> Vec<EnvironmentId> {
    let value = |entry: &IdleEntry| {
        // The floors keep a fresh, tiny or instantly started environment comparable with the others.
        let mib = (entry.held.memory_bytes as f64 / (1024.0 * 1024.0)).max(1.0);
        let waited_s = now.saturating_duration_since(entry.since).as_secs_f64().max(0.001);
        (entry.held.init.as_secs_f64() + 0.001) / (mib * waited_s)
    };
    idle.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let mut freed_bytes = 0;
    idle.iter()
        .take_while(|entry| {
            let wanted = freed_bytes < bytes;
            freed_bytes += entry.held.memory_bytes;
            wanted
        })
        .map(|entry| entry.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::placement::Held;

    fn entry(id: u64, mib: u64, init_ms: u64, waited_s: u64, now: Instant) -> IdleEntry {
        IdleEntry {
            id: EnvironmentId(id),
            since: now - Duration::from_secs(waited_s),
            held: Held { memory_bytes: mib * 1024 * 1024, init: Duration::from_millis(init_ms) },
        }
    }

    #[track_caller]
    fn check(idle: &[(u64, u64, u64)], mib: u64, expected: &[u64]) {
        let now = Instant::now() + Duration::from_secs(3600);
        let idle = idle
            .iter()
            .zip(0..)
            .map(|((mib, init_ms, waited_s), id)| entry(id, *mib, *init_ms, *waited_s, now))
            .collect();
        let chosen: Vec<u64> = victims(idle, mib * 1024 * 1024, now).iter().map(|id| id.0).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn the_cheapest_to_recreate_for_its_memory_and_age_goes_first() {
        check(&[(10, 100, 10), (10, 100, 60)], 1, &[1]);
        check(&[(10, 100, 10), (100, 100, 10)], 1, &[1]);
        check(&[(10, 5, 10), (10, 3000, 10)], 1, &[0]);
        check(&[(10, 100, 10), (10, 90, 10), (10, 80, 10)], 15, &[2, 1]);
        check(&[(10, 100, 10)], 0, &[]);
        check(&[(10, 100, 10)], 100, &[0]);
    }
}
