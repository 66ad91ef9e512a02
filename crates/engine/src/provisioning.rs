//! Environments that are initialised before requests come, for provisioned concurrency and for SnapStart: desired state,
//! and a supervisor that makes it true.
//!
//! What is wanted is set by the services, after a call as after a restart ([`crate::Engine::keep`]). The supervisor starts
//! what is lacking, a few at a time, whenever something may have changed: environments that die are replaced by the same
//! path as the first ones are made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use domain::FunctionVersion;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::FunctionKey;
use crate::engine::Shared;
use crate::placement::Pool;

/// Before the next look when the machine has no room, or the function scales faster than it may.
const OBSTACLE_PAUSE: Duration = Duration::from_secs(1);
/// Environments that may start at once ahead of requests, for each processor: a function may wait for something in its
/// Init phase.
const STARTS_PER_PROCESSOR: usize = 4;

/// What makes an execution environment initialise: `AWS_LAMBDA_INITIALIZATION_TYPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initialization {
    /// A request that waits.
    #[default]
    OnDemand,
    /// Provisioned concurrency.
    Provisioned,
    /// A published version with SnapStart.
    SnapStart,
}

impl Initialization {
    /// Of an environment that a request waits for.
    pub(crate) fn on_demand(version: &FunctionVersion) -> Self {
        if version.snap_start { Self::SnapStart } else { Self::OnDemand }
    }

    /// As the environment variable has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Provisioned => "provisioned-concurrency",
            Self::SnapStart => "snap-start",
        }
    }
}

/// How many environments of a version are to be initialised ahead.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Of which version.
    pub version: Arc<FunctionVersion>,
    /// Why.
    pub kind: Initialization,
    /// How many.
    pub count: u32,
}

/// How far that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// How many are wanted.
    pub requested: u32,
    /// How many are there.
    pub allocated: u32,
    /// How many can be used.
    pub available: u32,
    /// How far it is as a whole.
    pub status: AllocationStatus,
}

/// `Status` of a provisioned concurrency configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllocationStatus {
    /// On its way.
    #[default]
    InProgress,
    /// All have been there; those that die are replaced.
    Ready,
    /// The last try failed, for this reason. There will be others.
    Failed(String),
}

/// What runs of a function at a moment, for its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// Invocations that run: `ConcurrentExecutions`.
    pub running: u32,
    /// Those among them that run on provisioned concurrency: `ProvisionedConcurrentExecutions`.
    pub running_provisioned: u32,
    /// Provisioned concurrency that is there. What runs on it, divided by this, is `ProvisionedConcurrencyUtilization`.
    pub provisioned: u32,
}

/// What is wanted, and whatever the supervisor works with.
pub(crate) struct Provisioning {
    /// The pools that keep something, by function.
    kept: Mutex<HashMap<FunctionKey, Vec<Arc<Pool>>>>,
    bell: Arc<Notify>,
    turns: Arc<Semaphore>,
}

impl Provisioning {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            kept: Mutex::default(),
            bell: Arc::default(),
            turns: Arc::new(Semaphore::new(processors * STARTS_PER_PROCESSOR)),
        }
    }

    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<FunctionKey, Vec<Arc<Pool>>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool that keeps environments of a revision.
    fn find(&self, function: &FunctionKey, revision: Uuid) -> Option<Arc<Pool>> {
        let kept = self.kept();
        kept.get(function)?.iter().find(|pool| pool.version.revision == revision).cloned()
    }

    fn all(&self) -> Vec<Arc<Pool>> {
        self.kept().values().flatten().cloned().collect()
    }
}

impl Shared {
    /// This, and nothing else, of a function is to be initialised ahead from now on.
    pub(crate) fn keep(self: &Arc<Self>, function: &FunctionKey, wanted: &[Kept]) {
        let provisioned = |kept: &&Kept| kept.kind == Initialization::Provisioned;
        let total = wanted.iter().filter(provisioned).fold(0_u32, |sum, kept| sum.saturating_add(kept.count));
        // Before there are any: what is provisioned is taken out of what others share.
        self.set_provisioned(function, total);
        let mut all = self.provisioning.kept();
        let before = all.remove(function).unwrap_or_default();
        let now: Vec<Arc<Pool>> = wanted
            .iter()
            .filter(|kept| kept.count > 0)
            .map(|kept| {
                loop {
                    let pool = self.pool_of_version(&kept.version);
                    if pool.keep(kept.kind, kept.count) {
                        break pool;
                    }
                    self.forget_pool(&pool);
                }
            })
            .collect();
        for pool in before.iter().filter(|pool| !now.iter().any(|other| Arc::ptr_eq(pool, other))) {
            pool.keep(Initialization::OnDemand, 0);
            self.forget_if_empty(pool);
        }
        if !now.is_empty() {
            all.insert(function.clone(), now);
        }
        drop(all);
        self.provisioning.bell.notify_one();
    }

    /// How far a revision is.
    pub(crate) fn allocation(&self, function: &FunctionKey, revision: Uuid) -> Option<Allocation> {
        Some(self.provisioning.find(function, revision)?.allocation())
    }

    /// What runs of a function now.
    pub(crate) fn concurrency(&self, function: &FunctionKey) -> Concurrency {
        let kept = self.provisioning.kept();
        let pools = kept.get(function).into_iter().flatten();
        let mut concurrency = Concurrency { running: self.running_of(function), ..Concurrency::default() };
        for pool in pools {
            concurrency.running_provisioned += pool.slots.taken();
            concurrency.provisioned += pool.slots.count();
        }
        concurrency
    }

    /// Waits until what is kept of a revision is there, or the first try has failed. Nothing if nothing is kept of it.
    pub(crate) async fn allocated(&self, function: &FunctionKey, revision: Uuid) -> Option<Allocation> {
        let mut allocation = self.provisioning.find(function, revision)?.watch();
        let settled = |allocation: &Allocation| {
            allocation.requested == 0 || allocation.status != AllocationStatus::InProgress
        };
        let reached = allocation.wait_for(settled).await.ok()?;
        (reached.requested > 0).then(|| reached.clone())
    }

    /// Starts what is lacking, and says when to look again if that is known.
    fn start_ahead(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let mut again: Option<Instant> = None;
        let mut look_at = |at: Instant| again = Some(again.map_or(at, |again| again.min(at)));
        for pool in self.provisioning.all() {
            while pool.lacks_ahead(now) {
                // It rings when a turn comes back.
                let Ok(turn) = Arc::clone(&self.provisioning.turns).try_acquire_owned() else { return again };
                if let Some(obstacle) = self.obstacle_ahead(&pool) {
                    tracing::debug!(function = %pool.version.name, "not initialised ahead: {obstacle}");
                    look_at(now + OBSTACLE_PAUSE);
                    break;
                }
                let Some(ticket) = pool.begin_ahead(turn, now) else { break };
                self.start(&pool, ticket);
            }
            if let Some(at) = pool.retry_ahead_at().filter(|at| *at > now) {
                look_at(at);
            }
        }
        again
    }
}

/// Makes true what is wanted, for as long as there is an engine.
pub(crate) async fn supervise(shared: Weak<Shared>) {
    let Some(bell) = shared.upgrade().map(|shared| shared.provisioning.bell()) else { return };
    let mut again: Option<Instant> = None;
    loop {
        let moment = async {
            match again {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bell.notified() => {}
            () = moment => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        again = shared.start_ahead(Instant::now());
    }
}
