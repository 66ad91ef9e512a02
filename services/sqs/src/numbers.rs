//! Numbers that are never given twice, not even after a crash: of messages, and of queues.

use std::sync::{Mutex, PoisonError};

use store::{Store, Tx};

use crate::record::NUMBERS;

/// How many numbers are set aside by one note in the store.
const BLOCK: u64 = 1 << 20;

/// A counter.
#[derive(Debug)]
pub struct Numbers {
    name: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// The store knows that numbers below may have been given.
    noted: u64,
}

impl Numbers {
    /// Continues after whatever may have been given before; `seen` certainly was.
    pub fn load(store: &Store, name: &'static str, seen: u64) -> Result<Self, store::Error> {
        let noted = store.read(|snapshot| snapshot.get(&NUMBERS, name))?.unwrap_or(0);
        Ok(Self { name, state: Mutex::new(State { next: noted.max(seen + 1), noted }) })
    }

    /// The next number. Called on the thread that writes, so that their order is that of commits. A number taken by a
    /// transaction that fails is lost, not given again.
    pub fn take(&self, tx: &mut Tx<'_>) -> Result<u64, store::Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.next >= state.noted {
            state.noted = state.next + BLOCK;
            tx.put(&NUMBERS, self.name, &state.noted)?;
        }
        state.next += 1;
        Ok(state.next - 1)
    }

    /// A transaction failed, and perhaps the note with it: the next number makes another.
    pub fn forget_note(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).noted = 0;
    }
}
