//! A clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use tokio::sync::{Notify, oneshot};

/// How often the tasks of the runtime get a turn before a moment counts as done: those that were woken must have a
/// chance to say that they are busy, or to ask for a next moment.
const TURNS: usize = 16;
/// How long, in real time, a moment lasts at least, for tasks on other threads to be woken in.
const SETTLE: Duration = Duration::from_millis(2);

/// Only a virtual clock can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotVirtual;

impl std::fmt::Display for NotVirtual {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server runs on the machine's clock; start it with --time virtual to move time")
    }
}

impl std::error::Error for NotVirtual {}

/// While it lives, virtual time stands still.
#[derive(Debug)]
#[must_use = "virtual time goes on as soon as it is dropped"]
pub struct Due(Option<Arc<Busy>>);

impl Due {
    pub(crate) fn unwatched() -> Self {
        Self(None)
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(busy) = &self.0
            && busy.count.fetch_sub(1, Ordering::AcqRel) == 1
        {
            busy.idle.notify_waiters();
        }
    }
}

#[derive(Debug, Default)]
struct Busy {
    count: AtomicUsize,
    idle: Notify,
}

impl Busy {
    fn one(self: &Arc<Self>) -> Due {
        self.count.fetch_add(1, Ordering::AcqRel);
        Due(Some(Arc::clone(self)))
    }

    async fn none(&self) {
        loop {
            let idle = self.idle.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

#[derive(Debug)]
pub(crate) struct VirtualTime {
    state: Mutex<State>,
    busy: Arc<Busy>,
    /// Held while the clock is moved: two people do not move it at once.
    moving: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// Who waits, by moment and by the order in which they came.
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<Due>>,
    arrivals: u64,
}

impl VirtualTime {
    pub(crate) fn new(now: Timestamp) -> Self {
        let state = State { now, waiting: BTreeMap::new(), arrivals: 0 };
        Self { state: Mutex::new(state), busy: Arc::default(), moving: tokio::sync::Mutex::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state().now
    }

    pub(crate) fn busy(&self) -> Due {
        self.busy.one()
    }

    pub(crate) async fn sleep_until(&self, moment: Timestamp) -> Due {
        let woken = {
            let mut state = self.state();
            if moment <= state.now {
                return self.busy.one();
            }
            let (wake, woken) = oneshot::channel();
            state.arrivals += 1;
            let key = (moment, state.arrivals);
            state.waiting.insert(key, wake);
            woken
        };
        match woken.await {
            Ok(due) => due,
            // The clock is gone, and with it whoever could move it.
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) async fn advance(&self, by: Duration, patience: Duration) -> Timestamp {
        let _one_at_a_time = self.moving.lock().await;
        self.settle(patience).await;
        let target = self.now().plus(by);
        while self.step(target) {
            self.settle(patience).await;
        }
        target
    }

    /// Goes to the next moment that somebody waits for, or to `target`; whether anybody was woken.
    fn step(&self, target: Timestamp) -> bool {
        let mut state = self.state();
        // Whoever stopped waiting is no reason to stop.
        state.waiting.retain(|_, wake| !wake.is_closed());
        let Some(moment) = state.waiting.keys().next().map(|(moment, _)| *moment).filter(|at| *at <= target)
        else {
            state.now = target;
            return false;
        };
        state.now = state.now.max(moment);
        let later = state.waiting.split_off(&(Timestamp(moment.0 + 1), 0));
        for (_, wake) in std::mem::replace(&mut state.waiting, later) {
            // Busy from before they are woken: there is no gap in which time could go on.
            let _ = wake.send(self.busy.one());
        }
        true
    }

    /// Waits until nobody is busy and everybody had a turn.
    async fn settle(&self, patience: Duration) {
        let settled = async {
            self.busy.none().await;
            tokio::time::sleep(SETTLE).await;
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.busy.none().await;
        };
        let _ = tokio::time::timeout(patience, settled).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
