//! Whether an invocation may run now: concurrency per account and region.
//!
//! A permit comes back by being dropped, so every way out of an invocation returns it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use domain::{FunctionVersion, Scope};

use crate::ThrottleReason;

/// Grants permits.
pub(crate) struct Admission {
    concurrency: u32,
    accounts: RwLock<HashMap<Scope, Arc<AtomicU32>>>,
}

/// The right to run one invocation.
#[derive(Debug)]
pub(crate) struct Permit {
    running: Arc<AtomicU32>,
}

impl Admission {
    /// Admits at most `concurrency` at once in each account and region.
    pub(crate) fn new(concurrency: u32) -> Self {
        Self { concurrency, accounts: RwLock::default() }
    }

    /// A permit, or the limit that is in the way. A function's reserved concurrency will be looked at first, here.
    pub(crate) fn admit(&self, version: &FunctionVersion) -> Result<Permit, ThrottleReason> {
        let running = self.account(&version.scope);
        running
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| {
                (count < self.concurrency).then_some(count + 1)
            })
            .map_err(|_| ThrottleReason::ConcurrentInvocationLimitExceeded)?;
        Ok(Permit { running })
    }

    /// How many permits of an account and region are out.
    pub(crate) fn running(&self, scope: &Scope) -> u32 {
        self.account(scope).load(Ordering::Acquire)
    }

    fn account(&self, scope: &Scope) -> Arc<AtomicU32> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = accounts.get(scope) {
            return Arc::clone(running);
        }
        drop(accounts);
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(scope.clone()).or_default())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}
