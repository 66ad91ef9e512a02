//! One version, as admission sees it: its provisioned concurrency, so many places once they are all there; and what runs.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Pace;
use super::account::take;

/// How many invocations may run on provisioned environments, and how many do.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    open: AtomicU32,
    taken: AtomicU32,
    /// Invocations of the version, in a slot or not.
    running: AtomicU32,
    /// Synchronous requests to what is provisioned.
    pub(super) requests: Pace,
}

impl Slots {
    /// So many are there from now on; what runs in a slot that is gone runs on.
    pub(crate) fn open(&self, slots: u32) {
        self.open.store(slots, Ordering::Release);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.open.load(Ordering::Acquire)
    }

    /// How many are in use.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many invocations of the version run.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }

    /// One more runs, in a slot or not.
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::AcqRel);
    }

    /// It ended.
    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }

    /// Takes one if one is free.
    pub(super) fn take(&self) -> bool {
        let open = self.open.load(Ordering::Acquire);
        open > 0 && take(&self.taken, open).is_some()
    }

    /// Gives it back.
    pub(super) fn give(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }
}
