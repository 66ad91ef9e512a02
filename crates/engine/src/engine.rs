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
use crate::local::{Current, Folders};
use crate::observation::{Observed, Reply, Witness};
use crate::placement::{EnvironmentId, Ids, Job, Pool, PoolKey, Submitted, Ticket};
use crate::provisioning::{Provisioning, supervise};
use crate::{
    Allocation, Concurrency, FunctionKey, Invocation, InvokeError, Kept, Options, Outcome, Response,
    ResponseStream, ThrottleReason, environment,
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
        tokio::spawn(supervise(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Runs one invocation to its end. It runs on even if the caller stops waiting. Every exit gives the permit back:
    /// the environment drops it just before it answers.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Outcome, InvokeError> {
        let invocation = self.with_current_code(invocation).await?;
        self.begin(invocation, None)?.await.unwrap_or_else(|_| Err(InvokeError::lost()))
    }

    /// Runs one invocation whose response may be passed on while the function writes it. Answers when the response
    /// begins.
    pub async fn invoke_streaming(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let invocation = self.with_current_code(invocation).await?;
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

    /// An invocation of a package is as it is. That of a folder is of the folder as it is now.
    async fn with_current_code(&self, invocation: Invocation) -> Result<Invocation, InvokeError> {
        if invocation.version.code.folder().is_none() {
            return Ok(invocation);
        }
        let Current { version, replaced } = self.shared.folders.current(invocation.version).await?;
        if let Some(replaced) = replaced {
            for pool in self.shared.pools.all().iter().filter(|pool| pool.version.revision == replaced) {
                pool.set_retired(true);
            }
        }
        Ok(Invocation { version, ..invocation })
    }

    fn begin(
        &self,
        invocation: Invocation,
        stream: Option<oneshot::Sender<StreamHead>>,
    ) -> Result<oneshot::Receiver<Result<Outcome, InvokeError>>, InvokeError> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        let pool = self.shared.pool_of(&invocation);
        let synchronous_at = invocation.synchronous.then(Instant::now);
        let paced = synchronous_at.map_or(Ok(()), |now| pool.gate.admit_request(now));
        let admitted = paced.and_then(|()| pool.gate.admit(&pool.slots, synchronous_at));
        let witness = self.shared.options.observer.as_ref().map(|observer| Witness {
            observer: Arc::clone(observer),
            version: Arc::clone(&invocation.version),
            invoked_arn: invocation.invoked_arn.clone(),
            in_use: pool.gate.in_use(&pool.slots),
        });
        let permit = admitted.map_err(|reason| {
            self.shared.forget_if_empty(&pool);
            let error = InvokeError::Throttled { reason };
            if let Some(witness) = &witness {
                witness.tell(Observed::Ended(Err(&error)));
            }
            error
        })?;
        let (caller, outcome) = oneshot::channel();
        let reply = Reply { caller, witness };
        self.shared.submit_to(pool, Box::new(Job { invocation, permit, reply, stream }));
        Ok(outcome)
    }

    /// From now on the function has so much concurrency to itself, and no more; or shares what is unreserved.
    pub fn set_reserved(&self, function: &FunctionKey, reserved: Option<u32>) {
        self.shared.admission.set_reserved(function, reserved);
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
        let keep = self.shared.folders.retire(function, keep.into_iter().collect());
        for pool in self.shared.pools.all() {
            if pool.function == *function {
                pool.set_retired(!keep.contains(&pool.version.revision));
            }
        }
    }

    /// This, and nothing else, of a function is to be initialised before requests come: its environments are started now,
    /// replaced when they die, and never stopped for want of requests.
    pub fn keep(&self, function: &FunctionKey, wanted: &[Kept]) {
        self.shared.keep(function, wanted);
    }

    /// How far what is kept of a revision is; nothing if nothing is kept of it.
    pub fn allocation(&self, function: &FunctionKey, revision: Uuid) -> Option<Allocation> {
        self.shared.allocation(function, revision)
    }

    /// Waits until what is kept of a revision is there, or a try has failed.
    pub async fn allocated(&self, function: &FunctionKey, revision: Uuid) -> Option<Allocation> {
        self.shared.allocated(function, revision).await
    }

    /// What runs of a function now, for its metrics.
    pub fn concurrency(&self, function: &FunctionKey) -> Concurrency {
        self.shared.concurrency(function)
    }

    /// The function is gone, and its limits with it. Running invocations finish.
    pub fn forget(&self, function: &FunctionKey) {
        self.keep(function, &[]);
        self.retire(function, []);
        self.shared.admission.forget(function);
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
    folders: Folders,
    ids: Arc<Ids>,
    idle_memory: Arc<IdleMemory>,
    pub(crate) provisioning: Provisioning,
    alive: Arc<Alive>,
    closing: AtomicBool,
}

impl Shared {
    fn new(options: Options) -> Self {
        Self {
            admission: Admission::new(&options.limits),
            idle_memory: Arc::new(IdleMemory::new(options.limits.idle_memory_mib)),
            options,
            provisioning: Provisioning::new(),
            pools: Pools::default(),
            folders: Folders::default(),
            ids: Arc::default(),
            alive: Arc::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Gives an admitted invocation to an environment, now or when one is free.
    pub(crate) fn submit(self: &Arc<Self>, job: Box<Job>) {
        self.submit_to(self.pool_of(&job.invocation), job);
    }

    fn submit_to(self: &Arc<Self>, mut pool: Arc<Pool>, mut job: Box<Job>) {
        loop {
            match pool.submit(job) {
                Submitted::Assigned => return,
                Submitted::Waiting(tickets) => return self.launch(&pool, tickets),
                // It was emptied since it was found; the next look makes a new one.
                Submitted::Closed(returned) => {
                    self.pools.remove(&pool);
                    job = returned;
                    pool = self.pool_of(&job.invocation);
                }
            }
        }
    }

    fn pool_of(&self, invocation: &Invocation) -> Arc<Pool> {
        self.pool(PoolKey::of(invocation), &invocation.version)
    }

    /// The pool of a version that keeps no tenants apart.
    pub(crate) fn pool_of_version(&self, version: &Arc<FunctionVersion>) -> Arc<Pool> {
        self.pool(PoolKey { revision: version.revision, tenant_id: None }, version)
    }

    fn pool(&self, key: PoolKey, version: &Arc<FunctionVersion>) -> Arc<Pool> {
        self.pools.of(key, |key| {
            let gate = self.admission.gate(&FunctionKey::of(version));
            let (ids, idle_memory) = (Arc::clone(&self.ids), Arc::clone(&self.idle_memory));
            Pool::new(key, Arc::clone(version), gate, ids, idle_memory, self.provisioning.bell())
        })
    }

    /// Starts environments, if the machine has room for them.
    pub(crate) fn launch(self: &Arc<Self>, pool: &Arc<Pool>, tickets: Vec<Ticket>) {
        for ticket in tickets {
            if let Some(obstacle) = self.obstacle(pool) {
                if let Some(job) = pool.refuse(&ticket) {
                    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
                    tracing::warn!(function = %pool.version.name, "throttled: {obstacle}");
                    job.fail(InvokeError::Throttled { reason });
                }
                self.forget_if_empty(pool);
                continue;
            }
            self.start(pool, ticket);
        }
    }

    /// Starts an environment.
    pub(crate) fn start(self: &Arc<Self>, pool: &Arc<Pool>, ticket: Ticket) {
        let alive = self.alive.one();
        let run = environment::run(Arc::clone(self), Arc::clone(pool), ticket);
        tokio::spawn(async move {
            run.await;
            drop(alive);
        });
    }

    /// An environment is no more.
    pub(crate) fn left(self: &Arc<Self>, pool: &Arc<Pool>, id: EnvironmentId) {
        let tickets = pool.leave(id);
        self.launch(pool, tickets);
        self.forget_if_empty(pool);
    }

    pub(crate) fn forget_if_empty(&self, pool: &Arc<Pool>) {
        if pool.close_if_empty() {
            self.pools.remove(pool);
        }
    }

    /// The pool is no longer in use.
    pub(crate) fn forget_pool(&self, pool: &Arc<Pool>) {
        self.pools.remove(pool);
    }

    /// How many invocations of a function run.
    pub(crate) fn running_of(&self, function: &FunctionKey) -> u32 {
        self.admission.gate(function).running()
    }

    /// So much concurrency of a function is provisioned.
    pub(crate) fn set_provisioned(&self, function: &FunctionKey, provisioned: u32) {
        self.admission.set_provisioned(function, provisioned);
    }

    /// Why no environment may be started now, if so.
    fn obstacle(&self, pool: &Pool) -> Option<&'static str> {
        if !self.has_room() {
            return Some("the machine's memory is used up");
        }
        (!pool.gate.admit_start(Instant::now())).then_some("the function scales faster than it may")
    }

    /// Why no environment may be initialised ahead now, if so. What only saves time takes nobody's place.
    pub(crate) fn obstacle_ahead(&self, pool: &Pool) -> Option<&'static str> {
        let reserve = self.options.limits.reserve_memory_mib + STARTING_MIB;
        if pool.version.snap_start && self.options.isolation.available_memory_mib() < reserve {
            return Some("the machine's memory is used up");
        }
        self.obstacle(pool)
    }

    /// Whether another environment fits, making room by stopping idle ones if need be.
    fn has_room(&self) -> bool {
        let reserve = self.options.limits.reserve_memory_mib + STARTING_MIB;
        let available = self.options.isolation.available_memory_mib();
        available >= reserve || self.evict((reserve - available) * 1024 * 1024, true)
    }

    /// Stops idle environments that hold `bytes` together; whether there were any. Only when memory is short are those among
    /// them that wait for the first request of a version with SnapStart.
    fn evict(&self, bytes: u64, is_short: bool) -> bool {
        let pools = self.pools.all();
        let idle = pools.iter().flat_map(|pool| pool.idle());
        let ready = pools.iter().filter(|_| is_short).flat_map(|pool| pool.ready_for_pressure());
        let idle = idle.chain(ready).collect();
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
        shared.evict(idle_memory.excess_bytes(), false);
    }
}

/// Every pool.
#[derive(Default)]
struct Pools {
    shards: [Mutex<HashMap<PoolKey, Arc<Pool>>>; SHARDS],
    hasher: std::hash::RandomState,
}

impl Pools {
    fn shard(&self, key: &PoolKey) -> MutexGuard<'_, HashMap<PoolKey, Arc<Pool>>> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default();
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, key: PoolKey, make: impl FnOnce(PoolKey) -> Pool) -> Arc<Pool> {
        let mut shard = self.shard(&key);
        if let Some(pool) = shard.get(&key) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(make(key.clone()));
        shard.insert(key, Arc::clone(&pool));
        pool
    }

    fn remove(&self, pool: &Arc<Pool>) {
        let mut shard = self.shard(&pool.key);
        if shard.get(&pool.key).is_some_and(|found| Arc::ptr_eq(found, pool)) {
            shard.remove(&pool.key);
        }
    }

    fn all(&self) -> Vec<Arc<Pool>> {
        let lock = |shard: &Mutex<HashMap<PoolKey, Arc<Pool>>>| -> Vec<Arc<Pool>> {
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
