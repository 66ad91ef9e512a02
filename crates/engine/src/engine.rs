//! The handle that everyone else holds, and what all environments share.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{FunctionVersion, Scope};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::admission::Admission;
use crate::idle::{IdleMemory, victims};
use crate::invocation::StreamHead;
use crate::placement::{EnvironmentId, Ids, Job, Pool, Submitted, Ticket};
use crate::{
    FunctionKey, Invocation, InvokeError, Options, Outcome, Response, ResponseStream, ThrottleReason,
    environment,
};

/// Pools are found under one of this many locks, each held for one lookup.
const SHARDS: usize = 16;
/// What an environment that has just been started is taken to need, until it shows in the machine's own figures.
const STARTING_MIB: u64 = 48;
/// How long environments may take to end once they were told to end now.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs functions. A cheap handle: clones share one engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Starts the engine. Must be called inside an async runtime.
    pub fn start(options: Options) -> Self {
        let shared = Arc::new(Shared::new(options));
        tokio::spawn(keep_idle_within_budget(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Runs one invocation to its end. It runs on even if the caller stops waiting. Every exit gives the permit back:
    /// the environment drops it just before it answers.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Outcome, InvokeError> {
        self.begin(invocation, None)?.await.unwrap_or_else(|_| Err(InvokeError::lost()))
    }

    /// Runs one invocation whose response may be passed on while the function writes it. Answers when the response
    /// begins.
    pub async fn invoke_streaming(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let (stream, head) = oneshot::channel();
        let mut outcome = self.begin(invocation, Some(stream))?;
        tokio::select! {
            biased;
            Ok(StreamHead { content_type, chunks }) = head => {
                Ok(Response::Stream(ResponseStream { content_type, chunks, outcome }))
            }
            outcome = &mut outcome => outcome.unwrap_or_else(|_| Err(InvokeError::lost())).map(Response::Whole),
        }
    }

    fn begin(
        &self,
        invocation: Invocation,
        stream: Option<oneshot::Sender<StreamHead>>,
    ) -> Result<oneshot::Receiver<Result<Outcome, InvokeError>>, InvokeError> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        let permit = self
            .shared
            .admission
            .admit(&invocation.version)
            .map_err(|reason| InvokeError::Throttled { reason })?;
        let (reply, outcome) = oneshot::channel();
        self.shared.submit(Box::new(Job { invocation, permit, reply, stream }));
        Ok(outcome)
    }

    /// A version was published whose first invocation is to come.
    pub fn expect(&self, version: &FunctionVersion) {
        self.shared.options.isolation.expect(version);
    }

    /// How many invocations run in an account and region now.
    pub fn running(&self, scope: &Scope) -> u32 {
        self.shared.admission.running(scope)
    }

    /// After an update or a deletion: environments of the function's revisions other than those to keep stop as soon as
    /// they are idle. Running invocations finish first, and so do those that already wait.
    pub fn retire(&self, function: &FunctionKey, keep: impl IntoIterator<Item = Uuid>) {
        let keep: Vec<Uuid> = keep.into_iter().collect();
        for pool in self.shared.pools.all() {
            if pool.key == *function {
                pool.set_retired(!keep.contains(&pool.version.revision));
            }
        }
    }

    /// Refuses new invocations, lets running ones finish until `deadline` has passed, then stops every environment.
    pub async fn shutdown(&self, deadline: Duration) {
        self.shared.closing.store(true, Ordering::Release);
        for pool in self.shared.pools.all() {
            pool.set_retired(true);
        }
        if tokio::time::timeout(deadline, self.shared.alive.none()).await.is_ok() {
            return;
        }
        for pool in self.shared.pools.all() {
            pool.abort();
        }
        if tokio::time::timeout(ABORT_TIMEOUT, self.shared.alive.none()).await.is_err() {
            tracing::warn!("environments did not end in time; the launcher ends what is left");
        }
    }
}

/// What the engine's environments have in common.
pub(crate) struct Shared {
    pub(crate) options: Options,
    admission: Admission,
    pools: Pools,
    ids: Arc<Ids>,
    idle_memory: Arc<IdleMemory>,
    alive: Arc<Alive>,
    closing: AtomicBool,
}

impl Shared {
    fn new(options: Options) -> Self {
        Self {
            admission: Admission::new(options.limits.concurrency),
            idle_memory: Arc::new(IdleMemory::new(options.limits.idle_memory_mib)),
            options,
            pools: Pools::default(),
            ids: Arc::default(),
            alive: Arc::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Gives an admitted invocation to an environment, now or when one is free.
    pub(crate) fn submit(self: &Arc<Self>, mut job: Box<Job>) {
        loop {
            let version = &job.invocation.version;
            let pool = self.pools.of(version.revision, || {
                Pool::new(Arc::clone(version), Arc::clone(&self.ids), Arc::clone(&self.idle_memory))
            });
            match pool.submit(job) {
                Submitted::Assigned => return,
                Submitted::Waiting(tickets) => return self.launch(&pool, tickets),
                // It was emptied between the two lines above; the next look makes a new one.
                Submitted::Closed(returned) => {
                    self.pools.remove(&pool);
                    job = returned;
                }
            }
        }
    }

    /// Starts environments, if the machine has room for them.
    pub(crate) fn launch(self: &Arc<Self>, pool: &Arc<Pool>, tickets: Vec<Ticket>) {
        for ticket in tickets {
            if !self.has_room() {
                if let Some(job) = pool.refuse(&ticket) {
                    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
                    tracing::warn!(function = %pool.version.name, "throttled: the machine's memory is used up");
                    job.fail(InvokeError::Throttled { reason });
                }
                self.forget_if_empty(pool);
                continue;
            }
            let alive = self.alive.one();
            let run = environment::run(Arc::clone(self), Arc::clone(pool), ticket);
            tokio::spawn(async move {
                run.await;
                drop(alive);
            });
        }
    }

    /// An environment is no more.
    pub(crate) fn left(self: &Arc<Self>, pool: &Arc<Pool>, id: EnvironmentId) {
        let tickets = pool.leave(id);
        self.launch(pool, tickets);
        self.forget_if_empty(pool);
    }

    fn forget_if_empty(&self, pool: &Arc<Pool>) {
        if pool.close_if_empty() {
            self.pools.remove(pool);
        }
    }

    /// Whether another environment fits, making room by stopping idle ones if need be.
    fn has_room(&self) -> bool {
        let reserve = self.options.limits.reserve_memory_mib + STARTING_MIB;
        let available = self.options.isolation.available_memory_mib();
        available >= reserve || self.evict((reserve - available) * 1024 * 1024)
    }

    /// Stops idle environments that hold `bytes` together; whether there were any.
    fn evict(&self, bytes: u64) -> bool {
        let pools = self.pools.all();
        let idle = pools.iter().flat_map(|pool| pool.idle()).collect();
        let mut evicted = false;
        for id in victims(idle, bytes, Instant::now()) {
            evicted |= pools.iter().any(|pool| pool.evict(id));
        }
        evicted
    }
}

/// Stops idle environments whenever they hold more than their budget.
async fn keep_idle_within_budget(shared: std::sync::Weak<Shared>) {
    let Some(idle_memory) = shared.upgrade().map(|shared| Arc::clone(&shared.idle_memory)) else { return };
    loop {
        idle_memory.exceeded().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.evict(idle_memory.excess_bytes());
    }
}

/// Every pool, by revision.
#[derive(Default)]
struct Pools {
    shards: [Mutex<HashMap<Uuid, Arc<Pool>>>; SHARDS],
    hasher: std::hash::RandomState,
}

impl Pools {
    fn shard(&self, revision: Uuid) -> MutexGuard<'_, HashMap<Uuid, Arc<Pool>>> {
        let shard = usize::try_from(self.hasher.hash_one(revision) % SHARDS as u64).unwrap_or_default();
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, revision: Uuid, make: impl FnOnce() -> Pool) -> Arc<Pool> {
        Arc::clone(self.shard(revision).entry(revision).or_insert_with(|| Arc::new(make())))
    }

    fn remove(&self, pool: &Arc<Pool>) {
        let mut shard = self.shard(pool.version.revision);
        if shard.get(&pool.version.revision).is_some_and(|found| Arc::ptr_eq(found, pool)) {
            shard.remove(&pool.version.revision);
        }
    }

    fn all(&self) -> Vec<Arc<Pool>> {
        let lock = |shard: &Mutex<HashMap<Uuid, Arc<Pool>>>| -> Vec<Arc<Pool>> {
            shard.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
        };
        self.shards.iter().flat_map(lock).collect()
    }
}

/// Counts environments, so that a shutdown knows when there are none.
#[derive(Default)]
struct Alive {
    count: AtomicUsize,
    changed: Notify,
}

struct AliveOne(Arc<Alive>);

impl Alive {
    fn one(self: &Arc<Self>) -> AliveOne {
        self.count.fetch_add(1, Ordering::AcqRel);
        AliveOne(Arc::clone(self))
    }

    async fn none(&self) {
        loop {
            let changed = self.changed.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for AliveOne {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

/// The machine's memory, in MiB.
pub(crate) fn machine_memory_mib() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram * u64::from(info.mem_unit) / (1024 * 1024)
}
