//! The concurrency that an account has in a region, and that the functions without any of their own share.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Pace;
use crate::{Limits, ThrottleReason};

/// One account in one region.
#[derive(Debug)]
pub(super) struct Account {
    concurrency: u32,
    /// What reservations and provisioned concurrency leave.
    unreserved: AtomicU32,
    /// Invocations that run in it.
    running_unreserved: AtomicU32,
    /// All invocations that run.
    running: AtomicU32,
    /// Requests to the functions that share.
    pub(super) requests: Pace,
}

impl Account {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            concurrency: limits.concurrency,
            unreserved: AtomicU32::new(limits.concurrency),
            running_unreserved: AtomicU32::new(0),
            running: AtomicU32::new(0),
            requests: Pace::default(),
        }
    }

    pub(super) fn concurrency(&self) -> u32 {
        self.concurrency
    }

    pub(super) fn set_claimed(&self, claimed: u32) {
        self.unreserved.store(self.concurrency.saturating_sub(claimed), Ordering::Release);
    }

    /// Takes a place among those that share.
    pub(super) fn share(&self) -> Result<(), ThrottleReason> {
        let unreserved = self.unreserved.load(Ordering::Acquire);
        take(&self.running_unreserved, unreserved).ok_or(ThrottleReason::ConcurrentInvocationLimitExceeded)
    }

    /// One more invocation runs, in whichever concurrency.
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::AcqRel);
    }

    /// It ended.
    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many invocations run.
    pub(super) fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }

    /// How many of them share what is unreserved.
    pub(super) fn running_unreserved(&self) -> u32 {
        self.running_unreserved.load(Ordering::Acquire)
    }

    /// What reservations and provisioned concurrency take, whether it is in use or not.
    pub(super) fn claimed(&self) -> u32 {
        self.concurrency.saturating_sub(self.unreserved.load(Ordering::Acquire))
    }

    /// Gives it back.
    pub(super) fn unshare(&self) {
        self.running_unreserved.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one more, unless there are `most` already.
pub(super) fn take(count: &AtomicU32, most: u32) -> Option<()> {
    count
        .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| (count < most).then_some(count + 1))
        .ok()
        .map(|_| ())
}
