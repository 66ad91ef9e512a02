//! Whether an invocation may run now, and whether another environment may be started: the limits of an account, of a
//! function, and of provisioned concurrency.
//!
//! A permit comes back by being dropped, so every way out of an invocation returns it. Admission costs a handful of
//! atomic operations: limits are changed under a lock, and read without one.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

mod account;
mod gate;
mod rate;
mod slots;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Scope;

use self::account::Account;
pub(crate) use self::gate::{Gate, Permit};
pub(crate) use self::rate::Pace;
pub(crate) use self::slots::Slots;
use crate::{FunctionKey, Limits};

/// Every account's and every function's limits.
pub(crate) struct Admission {
    limits: Limits,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    accounts: HashMap<Scope, Arc<Account>>,
    gates: HashMap<FunctionKey, Arc<Gate>>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), books: Mutex::default() }
    }

    /// What the invocations of a function pass through.
    pub(crate) fn gate(&self, function: &FunctionKey) -> Arc<Gate> {
        let mut books = self.books();
        if let Some(gate) = books.gates.get(function) {
            return Arc::clone(gate);
        }
        let account = Arc::clone(
            books
                .accounts
                .entry(function.scope.clone())
                .or_insert_with(|| Arc::new(Account::new(&self.limits))),
        );
        let gate = Arc::new(Gate::new(account, &self.limits));
        books.gates.insert(function.clone(), Arc::clone(&gate));
        gate
    }

    /// From now on the function has so much concurrency to itself, and no more; or shares what is unreserved.
    pub(crate) fn set_reserved(&self, function: &FunctionKey, reserved: Option<u32>) {
        self.gate(function).set_reserved(reserved);
        self.share_out(&function.scope);
    }

    /// From now on so much concurrency of the function is provisioned, on all its versions together.
    pub(crate) fn set_provisioned(&self, function: &FunctionKey, provisioned: u32) {
        self.gate(function).set_provisioned(provisioned);
        self.share_out(&function.scope);
    }

    /// The function is gone. What still runs of it keeps its limits.
    pub(crate) fn forget(&self, function: &FunctionKey) {
        self.books().gates.remove(function);
        self.share_out(&function.scope);
    }

    /// How many invocations of an account and region run.
    pub(crate) fn running(&self, scope: &Scope) -> u32 {
        let books = self.books();
        books
            .gates
            .iter()
            .filter(|(function, _)| function.scope == *scope)
            .map(|(_, gate)| gate.running())
            .sum()
    }

    /// What reservations and provisioned concurrency leave of the account's concurrency.
    fn share_out(&self, scope: &Scope) {
        let books = self.books();
        let Some(account) = books.accounts.get(scope) else { return };
        let claimed = books
            .gates
            .iter()
            .filter(|(function, _)| function.scope == *scope)
            .fold(0_u32, |claimed, (_, gate)| claimed.saturating_add(gate.claimed()));
        account.set_claimed(claimed);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
