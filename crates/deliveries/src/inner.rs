//! What all lanes share: the store, the time, the handlers; and how a delivery comes into its lane.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use clock::Time;
use domain::{Clock as _, SystemClock, Timestamp};
use store::{Domain, Raw, Scan, Store, Tx};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::lane::Lane;
use crate::record::{Delivery, Parcel, Record, Turn, items, kind, payloads};
use crate::{Answer, GivenUp, worker};

/// Attempts a parcel.
pub(crate) type Attempt = Arc<dyn Fn(Parcel) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Hears of what was given up.
pub(crate) type Listener = Arc<dyn Fn(&GivenUp) + Send + Sync>;

/// How one kind of target is delivered to.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) at_once: usize,
    pub(crate) attempt: Attempt,
}

/// A target, and the domain of what caused the deliveries to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaneKey {
    pub(crate) domain: Domain,
    pub(crate) target: Arc<str>,
}

/// A lane and what wakes its task.
pub(crate) struct Open {
    pub(crate) books: Lane,
    pub(crate) bell: Arc<Notify>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) time: Time,
    handlers: RwLock<HashMap<&'static str, Handler>>,
    listener: RwLock<Option<Listener>>,
    /// Each has a task, from the start on.
    lanes: Mutex<HashMap<LaneKey, Open>>,
    numbers: AtomicU64,
    started: AtomicBool,
    closing: AtomicBool,
    under_way: AtomicUsize,
    quiet: Notify,
    runtime: Handle,
}

impl Inner {
    pub(crate) fn new(store: Store, time: Time) -> Self {
        let first = u64::try_from(SystemClock.now().0).unwrap_or_default() * 1_000;
        Self {
            store,
            time,
            handlers: RwLock::default(),
            listener: RwLock::default(),
            lanes: Mutex::default(),
            // Later than those of an earlier run; where the machine's clock went back, taken ones are passed over.
            numbers: AtomicU64::new(first),
            started: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            quiet: Notify::new(),
            runtime: Handle::current(),
        }
    }

    pub(crate) fn register(&self, kind: &'static str, handler: Handler) {
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        assert!(handlers.insert(kind, handler).is_none(), "{kind} has one handler");
    }

    pub(crate) fn handler(&self, target: &str) -> Option<Handler> {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        handlers.get(kind(target)).cloned()
    }

    pub(crate) fn listen(&self, listener: Listener) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// Says that a delivery was given up.
    pub(crate) fn tell(&self, given_up: &GivenUp) {
        let listener = self.listener.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
            listener(given_up);
        }
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, HashMap<LaneKey, Open>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn waiting(&self, domain: Domain, target: &str) -> usize {
        let key = LaneKey { domain, target: target.into() };
        self.lanes().get(&key).map_or(0, |open| open.books.count())
    }

    /// Opens a lane for each target of what is stored, and lets all run.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), store::Error> {
        let mut found = Vec::new();
        for domain in Domain::ALL {
            let mut scan = Scan::all();
            while let Some((target, _, _)) = self
                .store
                .read(|snapshot| snapshot.keys(&items(domain), &scan.clone().limit(1)))
                .map(|keys: Vec<(String, Timestamp, u64)>| keys.into_iter().next())?
            {
                let of_target = Scan::prefix((target.as_str(),));
                let count = self.store.read(|snapshot| snapshot.count(&items(domain), &of_target))?;
                scan = Scan::all().after((target.as_str(), Timestamp(i64::MAX), u64::MAX));
                found.push((LaneKey { domain, target: target.into() }, count));
            }
        }
        let mut lanes = self.lanes();
        self.started.store(true, Ordering::Release);
        // Some was accepted already, before or after its target was looked for: those lanes look at the disk, too.
        let accepted = std::mem::take(&mut *lanes);
        let accepted = accepted.into_iter().map(|(key, open)| (key, open.books.count()));
        for (key, count) in accepted.chain(found) {
            let lane = self.new_lane(&key, count);
            lanes.insert(key, lane);
        }
        Ok(())
    }

    /// The lane, with a task that works it off.
    fn new_lane(self: &Arc<Self>, key: &LaneKey, count: usize) -> Open {
        let at_once = self.handler(&key.target).map_or(1, |handler| handler.at_once);
        let bell = Arc::new(Notify::new());
        if self.started.load(Ordering::Acquire) {
            self.runtime.spawn(worker::run(Arc::clone(self), key.clone(), Arc::clone(&bell)));
        }
        let mut books = Lane::new(at_once, count);
        if count > 0 {
            // Something may be due at once; nobody knows before the disk is read.
            books.woke(self.time.busy());
        }
        Open { books, bell }
    }

    /// A delivery is on the disk.
    pub(crate) fn arrived(self: &Arc<Self>, key: LaneKey, turn: Turn) {
        let mut lanes = self.lanes();
        let open = match lanes.get_mut(&key) {
            Some(open) => open,
            None => {
                let lane = self.new_lane(&key, 0);
                lanes.entry(key).or_insert(lane)
            }
        };
        open.books.arrived(turn, || self.time.busy());
        open.bell.notify_one();
    }

    pub(crate) fn reset(&self) {
        for (_, open) in self.lanes().drain() {
            open.bell.notify_one();
        }
    }

    pub(crate) async fn stop(&self, patience: Duration) {
        self.closing.store(true, Ordering::Release);
        for open in self.lanes().values() {
            open.bell.notify_one();
        }
        let quiet = async {
            loop {
                let quiet = self.quiet.notified();
                if self.under_way.load(Ordering::Acquire) == 0 {
                    return;
                }
                quiet.await;
            }
        };
        if tokio::time::timeout(patience, quiet).await.is_err() {
            tracing::warn!(
                "deliveries under way did not end in time; they are attempted again at the next start"
            );
        }
    }

    /// Counts an attempt until what it gives is dropped.
    pub(crate) fn under_way(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

pub(crate) struct UnderWay(Arc<Inner>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

/// Stores a delivery; its lane hears of it after the commit.
pub(crate) fn accept(inner: &Arc<Inner>, tx: &mut Tx<'_>, delivery: Delivery) -> Result<(), store::Error> {
    let domain = tx.domain();
    let accepted = inner.time.now();
    let due = delivery.not_before.unwrap_or_default().max(accepted);
    let payload = Raw(delivery.payload);
    let mut number = inner.number();
    while !tx.insert(&payloads(domain), &number, &payload)? {
        number = inner.number();
    }
    let record = Record {
        id: delivery.id,
        details: delivery.details,
        purpose: delivery.purpose,
        sender: delivery.sender,
        policy: delivery.policy,
        dead_letter: delivery.dead_letter,
        accepted,
        attempts: 0,
        setbacks: 0,
    };
    tx.put(&items(domain), (delivery.target.as_str(), due, number), &record)?;
    let key = LaneKey { domain, target: delivery.target.into() };
    let inner = Arc::clone(inner);
    tx.after_commit(move || inner.arrived(key, (due, number)));
    Ok(())
}
