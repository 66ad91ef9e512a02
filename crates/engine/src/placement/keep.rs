//! What is kept initialised of a revision before requests come, and what is lacking of it. Pure: the moment is always an
//! argument.

use std::time::{Duration, Instant};

use crate::{Allocation, AllocationStatus, Initialization};

/// After a failed initialization, before the next try; twice as long after each.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// And never longer.
const RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// How many environments are to be there, and how many are.
#[derive(Debug)]
pub(super) struct Keep {
    kind: Initialization,
    wanted: u32,
    /// Environments that are kept, those that are still starting among them.
    held: u32,
    starting: u32,
    /// All have been there at once since the number was last raised.
    complete: bool,
    /// They had to go for want of memory: none is made until there is a request.
    suspended: bool,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    attempts: u32,
    retry_at: Instant,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            kind: Initialization::OnDemand,
            wanted: 0,
            held: 0,
            starting: 0,
            complete: false,
            suspended: false,
            failure: None,
        }
    }
}

impl Keep {
    pub(super) fn kind(&self) -> Initialization {
        self.kind
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// So many from now on. How many of those that are there are too many.
    pub(super) fn set(&mut self, kind: Initialization, wanted: u32) -> u32 {
        if wanted > self.wanted || kind != self.kind {
            self.complete = false;
            self.failure = None;
        }
        (self.kind, self.wanted, self.suspended) = (kind, wanted, false);
        self.judge();
        self.held.saturating_sub(wanted)
    }

    /// Whether another is to be started now.
    pub(super) fn lacks(&self, now: Instant) -> bool {
        let waits = self.failure.as_ref().is_some_and(|failure| failure.retry_at > now);
        self.held < self.wanted && !self.suspended && !waits
    }

    /// When to look again, if something is lacking and has to wait.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        let lacking = self.held < self.wanted && !self.suspended;
        lacking.then_some(self.failure.as_ref()?.retry_at)
    }

    pub(super) fn begin(&mut self) {
        self.held += 1;
        self.starting += 1;
    }

    /// One that was starting is there, or is no more.
    pub(super) fn started(&mut self) {
        self.starting -= 1;
    }

    /// One is ready to serve.
    pub(super) fn ready(&mut self) {
        self.failure = None;
        self.judge();
    }

    /// One is no longer kept.
    pub(super) fn release(&mut self) {
        self.held -= 1;
    }

    /// One could not be initialised.
    pub(super) fn failed(&mut self, reason: String, now: Instant) {
        let attempts = self.failure.as_ref().map_or(0, |failure| failure.attempts) + 1;
        let wait = RETRY_FIRST.saturating_mul(1 << (attempts - 1).min(16)).min(RETRY_MAX);
        self.failure = Some(Failure { reason, attempts, retry_at: now + wait });
    }

    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Whether it was suspended until now.
    pub(super) fn resume(&mut self) -> bool {
        std::mem::take(&mut self.suspended)
    }

    /// How many requests may count on what is kept: none before all of it is there.
    pub(super) fn slots(&self) -> u32 {
        let usable = self.kind == Initialization::Provisioned && self.complete;
        if usable { self.allocated().min(self.wanted) } else { 0 }
    }

    pub(super) fn allocation(&self) -> Allocation {
        let allocated = self.allocated();
        Allocation {
            requested: self.wanted,
            allocated,
            available: if self.complete { allocated } else { 0 },
            status: match &self.failure {
                Some(failure) if !self.complete => AllocationStatus::Failed(failure.reason.clone()),
                _ if self.complete => AllocationStatus::Ready,
                _ => AllocationStatus::InProgress,
            },
        }
    }

    fn allocated(&self) -> u32 {
        self.held - self.starting
    }

    fn judge(&mut self) {
        self.complete |= self.wanted > 0 && self.allocated() >= self.wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts one, to its end.
    fn start(keep: &mut Keep) {
        keep.begin();
        keep.started();
        keep.ready();
    }

    #[test]
    fn nothing_can_be_used_until_all_of_it_is_there() {
        let (mut keep, now) = (Keep::default(), Instant::now());
        assert_eq!(keep.set(Initialization::Provisioned, 2), 0);
        start(&mut keep);
        assert_eq!((keep.slots(), keep.lacks(now)), (0, true));
        assert_eq!(keep.allocation().status, AllocationStatus::InProgress);
        start(&mut keep);
        assert_eq!((keep.slots(), keep.lacks(now)), (2, false));
        let ready = Allocation { requested: 2, allocated: 2, available: 2, status: AllocationStatus::Ready };
        assert_eq!(keep.allocation(), ready);
        // One dies: what is left can be used, and another is started.
        keep.release();
        assert_eq!((keep.slots(), keep.lacks(now)), (1, true));
        assert_eq!(keep.allocation().status, AllocationStatus::Ready);
        assert_eq!(keep.set(Initialization::Provisioned, 5), 0);
        assert_eq!(keep.slots(), 0);
    }

    #[test]
    fn less_is_there_at_once_and_what_is_too_many_is_told() {
        let mut keep = Keep::default();
        keep.set(Initialization::Provisioned, 3);
        (0..3).for_each(|_| start(&mut keep));
        assert_eq!(keep.set(Initialization::Provisioned, 1), 2);
        assert_eq!(keep.slots(), 1);
        assert_eq!(keep.set(Initialization::OnDemand, 0), 3);
        assert_eq!(keep.slots(), 0);
    }

    #[test]
    fn a_failure_waits_longer_each_time_and_is_forgotten_when_one_is_ready() {
        let (mut keep, now) = (Keep::default(), Instant::now());
        keep.set(Initialization::Provisioned, 1);
        for wait_s in [1, 2, 4, 8] {
            keep.begin();
            keep.failed("broken".to_owned(), now);
            keep.started();
            keep.release();
            assert_eq!(keep.allocation().status, AllocationStatus::Failed("broken".to_owned()));
            let retry_at = now + Duration::from_secs(wait_s);
            assert_eq!(keep.retry_at(), Some(retry_at));
            assert!(!keep.lacks(retry_at - Duration::from_millis(1)) && keep.lacks(retry_at));
        }
        (0..20).for_each(|_| keep.failed("broken".to_owned(), now));
        assert_eq!(keep.retry_at(), Some(now + RETRY_MAX));
        start(&mut keep);
        assert_eq!((keep.allocation().status, keep.retry_at()), (AllocationStatus::Ready, None));
    }

    #[test]
    fn what_had_to_go_for_want_of_memory_is_not_made_again_before_a_request() {
        let (mut keep, now) = (Keep::default(), Instant::now());
        keep.set(Initialization::SnapStart, 1);
        start(&mut keep);
        keep.suspend();
        keep.release();
        assert!(!keep.lacks(now));
        assert!(keep.resume() && !keep.resume());
        assert!(keep.lacks(now));
    }
}
