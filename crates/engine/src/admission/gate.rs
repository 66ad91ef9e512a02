//! What every invocation of a function passes through, whichever version it is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use domain::limits;

use super::account::{Account, take};
use super::{Pace, Slots};
use crate::{Capacity, InUse, Limits, ThrottleReason};

/// Rates of requests are counted in.
const SECOND: Duration = Duration::from_secs(1);

/// In the place of a number: nothing is reserved.
const NOT_RESERVED: u32 = u32::MAX;

/// One function's limits, and what runs of it.
#[derive(Debug)]
pub(crate) struct Gate {
    account: Arc<Account>,
    reserved: AtomicU32,
    /// On all versions together.
    provisioned: AtomicU32,
    /// Invocations that run in the function's own concurrency, outside what is provisioned.
    running_reserved: AtomicU32,
    /// All invocations that run.
    running: AtomicU32,
    requests: Pace,
    starts: Pace,
    starts_max: u32,
    requests_per_concurrency: u32,
}

/// The right to run one invocation.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    slots: Arc<Slots>,
    place: Place,
    /// Whether there was provisioned concurrency, all of it in use.
    spilled: bool,
}

/// What a permit gives back.
#[derive(Debug)]
enum Place {
    Unreserved,
    Reserved,
    Provisioned,
}

impl Gate {
    pub(super) fn new(account: Arc<Account>, limits: &Limits) -> Self {
        Self {
            account,
            reserved: AtomicU32::new(NOT_RESERVED),
            provisioned: AtomicU32::new(0),
            running_reserved: AtomicU32::new(0),
            running: AtomicU32::new(0),
            requests: Pace::default(),
            starts: Pace::default(),
            starts_max: limits.starts_per_interval,
            requests_per_concurrency: limits.requests_per_concurrency,
        }
    }

    pub(super) fn set_reserved(&self, reserved: Option<u32>) {
        self.reserved.store(reserved.unwrap_or(NOT_RESERVED), Ordering::Release);
    }

    pub(super) fn set_provisioned(&self, provisioned: u32) {
        self.provisioned.store(provisioned, Ordering::Release);
    }

    /// What the function takes out of the account's concurrency whether it runs or not.
    pub(super) fn claimed(&self) -> u32 {
        self.reserved().unwrap_or_else(|| self.provisioned.load(Ordering::Acquire))
    }

    fn reserved(&self) -> Option<u32> {
        match self.reserved.load(Ordering::Acquire) {
            NOT_RESERVED => None,
            reserved => Some(reserved),
        }
    }

    /// A permit, or the limit that is in the way. Provisioned concurrency comes first; what does not fit spills over. A
    /// synchronous request says when it comes, since what is provisioned serves only so many in a second.
    pub(crate) fn admit(
        self: &Arc<Self>,
        slots: &Arc<Slots>,
        synchronous_at: Option<Instant>,
    ) -> Result<Permit, ThrottleReason> {
        let place = if self.take_provisioned(slots, synchronous_at) {
            Place::Provisioned
        } else if let Some(reserved) = self.reserved() {
            let on_demand = reserved.saturating_sub(self.provisioned.load(Ordering::Acquire));
            take(&self.running_reserved, on_demand)
                .ok_or(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)?;
            Place::Reserved
        } else {
            self.account.share()?;
            Place::Unreserved
        };
        let spilled = !matches!(place, Place::Provisioned) && slots.count() > 0;
        self.running.fetch_add(1, Ordering::AcqRel);
        self.account.begin();
        slots.begin();
        Ok(Permit { gate: Arc::clone(self), slots: Arc::clone(slots), place, spilled })
    }

    fn take_provisioned(&self, slots: &Slots, synchronous_at: Option<Instant>) -> bool {
        if !slots.take() {
            return false;
        }
        let per_second = slots.count().saturating_mul(self.requests_per_concurrency);
        let is_in_time = synchronous_at.is_none_or(|now| slots.requests.take(per_second, SECOND, now));
        if !is_in_time {
            slots.give();
        }
        is_in_time
    }

    /// Whether another synchronous request may come now: so many a second for each unit of concurrency.
    pub(crate) fn admit_request(&self, now: Instant) -> Result<(), ThrottleReason> {
        let each = self.requests_per_concurrency;
        match self.reserved() {
            // There is no concurrency to begin with, which is what the caller is to hear.
            Some(0) => Ok(()),
            Some(reserved) => self
                .requests
                .take(reserved.saturating_mul(each), SECOND, now)
                .then_some(())
                .ok_or(ThrottleReason::ReservedFunctionInvocationRateLimitExceeded),
            None => self
                .account
                .requests
                .take(self.account.concurrency().saturating_mul(each), SECOND, now)
                .then_some(())
                .ok_or(ThrottleReason::FunctionInvocationRateLimitExceeded),
        }
    }

    /// Whether another environment may be started now.
    pub(crate) fn admit_start(&self, now: Instant) -> bool {
        self.starts.take(self.starts_max, limits::SCALING_INTERVAL, now)
    }

    /// What is in use now, of the account, the function, and the version whose `slots` these are.
    pub(crate) fn in_use(&self, slots: &Slots) -> InUse {
        let unreserved = self.account.running_unreserved();
        InUse {
            account: self.account.running(),
            unreserved,
            claimed: unreserved.saturating_add(self.account.claimed()),
            function: self.running(),
            version: slots.running(),
            provisioned: slots.count(),
            provisioned_in_use: slots.taken(),
        }
    }

    /// How many invocations run.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }
}

impl Permit {
    /// Which concurrency it is a part of.
    pub(crate) fn capacity(&self) -> Capacity {
        match self.place {
            Place::Provisioned => Capacity::Provisioned,
            Place::Unreserved | Place::Reserved if self.spilled => Capacity::Spillover,
            Place::Unreserved | Place::Reserved => Capacity::OnDemand,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match &self.place {
            Place::Unreserved => self.gate.account.unshare(),
            Place::Reserved => drop(self.gate.running_reserved.fetch_sub(1, Ordering::AcqRel)),
            Place::Provisioned => self.slots.give(),
        }
        self.gate.running.fetch_sub(1, Ordering::AcqRel);
        self.gate.account.end();
        self.slots.end();
    }
}
