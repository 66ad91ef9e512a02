//! A queue while the server runs: its record, the index of its messages, and the bell that receivers wait for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use domain::Timestamp;
use tokio::sync::Notify;

use crate::address::Address;
use crate::attributes::Settings;
use crate::index::{Index, Lease};
use crate::record::{QueueId, QueueRecord};

/// One queue. Shared by everybody who is busy with it; it outlives its deletion for as long.
#[derive(Debug)]
pub struct Queue {
    /// Its number.
    pub id: QueueId,
    /// Its name and scope.
    pub address: Address,
    /// Whether it keeps order.
    pub fifo: bool,
    current: RwLock<Arc<Current>>,
    index: Mutex<Index>,
    /// Rung once for each message that may be received.
    pub bell: Notify,
    gone: AtomicBool,
    /// Whether the task that saves receipts will look at it.
    pub receipts_wait: AtomicBool,
    attempts: Mutex<HashMap<String, Attempt>>,
}

/// What a queue is at the moment.
#[derive(Debug)]
pub struct Current {
    /// As stored.
    pub record: QueueRecord,
    /// What its attributes mean.
    pub settings: Settings,
}

/// An attempt to receive, which may be made again.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it was made.
    pub at: Timestamp,
    /// What it got.
    pub leases: Vec<Lease>,
}

impl Queue {
    /// A queue of this record, with no message yet.
    pub fn new(address: Address, record: QueueRecord) -> Self {
        let (id, fifo) = (record.id, record.fifo);
        let settings = Settings::of(&record.attributes);
        Self {
            id,
            address,
            fifo,
            current: RwLock::new(Arc::new(Current { record, settings })),
            index: Mutex::new(Index::new(fifo)),
            bell: Notify::new(),
            gone: AtomicBool::new(false),
            receipts_wait: AtomicBool::new(false),
            attempts: Mutex::default(),
        }
    }

    /// What it is now.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over a stored change, unless a later one came first.
    pub fn update(&self, record: QueueRecord) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if record.revision > current.record.revision {
            let settings = Settings::of(&record.attributes);
            *current = Arc::new(Current { record, settings });
        }
        drop(current);
        self.bell.notify_waiters();
    }

    /// The index. Never kept across an await.
    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts to receive that may be made again.
    pub fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was deleted. Said on the thread that writes, so that nothing is sent to it afterwards.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// It was deleted; or was not after all.
    pub fn set_gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::Release);
        self.bell.notify_waiters();
    }

    /// Wakes receivers for so many messages.
    pub fn ring(&self, messages: usize) {
        // Beyond these, whoever is awake takes what is there before it sleeps again.
        for _ in 0..messages.min(64) {
            self.bell.notify_one();
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        self.address.arn()
    }
}
