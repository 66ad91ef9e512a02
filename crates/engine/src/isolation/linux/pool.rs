//! Sandboxes that were made ahead of time, for each kind in use, with nothing of any function inside: bare ones, and
//! stems, in which the interpreter and our client already run.
//!
//! A start takes one and rings; a task of its own makes the next: one at a time, not while starts are coming in, with
//! a small share of the processors and within a [`Budget`], so that refilling never stands in a start's way. Nothing is
//! kept of a kind that was never asked for, and [`Demand`] says how many of the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use domain::{Family, Runtime, limits};
use runtimes::Serving;
use sandbox::{Cpu, Limits, Process, Sandbox, Sandboxes, Template};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::demand::{Budget, Demand};
use super::{available_memory_mib, fault, stem};
use crate::isolation::Fault;

/// How long no sandbox must have been taken before the next one is made.
const QUIET: Duration = Duration::from_millis(3);
/// The same while functions that took one are in their Init phase: what is made now would run beside it. One that goes
/// on for longer is no reason to have nothing for the next.
const QUIET_WHILE_STARTING: Duration = Duration::from_millis(30);
/// Until the function's own limits are set.
const MEMORY_MIB_INITIAL: u32 = 512;
/// Of one processor, against the functions that run meanwhile.
const CPU_PER_MILLE_INITIAL: u32 = 20;
/// What making one takes of a processor: a handful of system calls, and of a stem the start of its interpreter. Python's
/// takes 32 to 34 ms, Node's 63 to 71 (measured with Python 3.12 and Node 20).
const BARE_COST: Duration = Duration::from_millis(2);
const STEM_COST: Duration = Duration::from_millis(35);
const NODE_STEM_COST: Duration = Duration::from_millis(70);
/// What a waiting stem holds: 5.9 to 6.1 MiB of Python's, 8.7 to 9.3 of Node's. What it shares with others is not counted.
const STEM_MIB: u64 = 10;
/// All stems of a kind may hold this part of the machine's memory.
const STEMS_PART: u64 = 32;
const STEMS_MAX: u64 = 64;
const BARE_MAX: usize = 16;
/// With less than this part of the machine's memory free, nothing is made ahead of time.
const RESERVE_PART: u64 = 8;
/// Before the next try, when one could not be made or did not live.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// What is made ahead of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// Sandboxes with the runtime already running in them, where the runtime can; bare sandboxes elsewhere.
    #[default]
    Stems,
    /// Bare sandboxes: every runtime is started when it is needed.
    Sandboxes,
}

/// What can stand in for another of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) runtime: Runtime,
    /// Of a stem: the memory its runtime is sized for.
    pub(super) stem_class_mib: Option<u32>,
}

impl Kind {
    fn cost(self) -> Duration {
        match (self.stem_class_mib, self.runtime.family()) {
            (None, _) => BARE_COST,
            (Some(_), Family::Node) => NODE_STEM_COST,
            (Some(_), _) => STEM_COST,
        }
    }
}

/// A sandbox of nobody's, and the runtime that waits in it if it is a stem.
pub(super) struct Spare {
    pub(super) sandbox: Sandbox,
    pub(super) runtime: Option<Process>,
}

pub(super) struct Pool {
    sandboxes: Sandboxes,
    stems_max: usize,
    reserve_mib: u64,
    shelves: Mutex<Shelves>,
    bell: Arc<Notify>,
    starting: Arc<AtomicUsize>,
}

/// A function's Init phase, while it goes on.
pub(super) struct Starting(Arc<AtomicUsize>);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Shelves {
    of: HashMap<Kind, Shelf>,
    templates: HashMap<Runtime, Template>,
    /// Counts refreshes: what was begun before one is not kept after it.
    generation: u64,
    last_taken: Instant,
    next_id: u64,
}

struct Shelf {
    serving: Serving,
    demand: Demand,
    ready: Vec<Ready>,
    not_before: Instant,
}

struct Ready {
    id: u64,
    spare: Spare,
    _watch: Option<Watch>,
}

/// Looks after a waiting stem until it is taken.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the refilling task does next.
enum Step {
    Make(Kind, Serving),
    WaitUntil(Instant),
    WaitForBell,
}

impl Pool {
    pub(super) fn start(sandboxes: Sandboxes) -> Arc<Self> {
        let machine_mib = crate::engine::machine_memory_mib();
        let shelves = Shelves {
            of: HashMap::new(),
            templates: HashMap::new(),
            generation: 0,
            last_taken: Instant::now(),
            next_id: 0,
        };
        let pool = Arc::new(Self {
            sandboxes,
            stems_max: stems_max(machine_mib),
            reserve_mib: machine_mib / RESERVE_PART,
            shelves: Mutex::new(shelves),
            bell: Arc::default(),
            starting: Arc::default(),
        });
        tokio::spawn(refill(Arc::downgrade(&pool), Arc::clone(&pool.bell)));
        pool
    }

    /// One of the kind, or if there is none a bare one: a ready one, or a new one.
    pub(super) async fn take(&self, kind: Kind, serving: &Serving) -> Result<Spare, Fault> {
        let found = {
            let mut shelves = self.shelves();
            let now = Instant::now();
            shelves.last_taken = now;
            let shelf = self.shelf(&mut shelves, kind, serving, now);
            let ready = shelf.ready.pop();
            shelf.demand.taken(ready.is_some(), now);
            let bare = Kind { stem_class_mib: None, ..kind };
            ready.or_else(|| shelves.of.get_mut(&bare)?.ready.pop())
        };
        self.bell.notify_one();
        match found {
            Some(ready) => Ok(ready.spare),
            None => self.make_bare(serving, Cpu::Full).await,
        }
    }

    /// From here until what is given is dropped a function is in its Init phase.
    pub(super) fn starting(&self) -> Starting {
        self.starting.fetch_add(1, Ordering::Relaxed);
        Starting(Arc::clone(&self.starting))
    }

    /// A function was published that will want one.
    pub(super) fn announce(&self, kind: Kind, serving: &Serving) {
        let now = Instant::now();
        self.shelf(&mut self.shelves(), kind, serving, now).demand.announce(now);
        self.bell.notify_one();
    }

    /// Makes one now if there is none.
    pub(super) async fn prepare(self: &Arc<Self>, kind: Kind, serving: &Serving) -> Result<(), Fault> {
        let generation = {
            let mut shelves = self.shelves();
            let generation = shelves.generation;
            if !self.shelf(&mut shelves, kind, serving, Instant::now()).ready.is_empty() {
                return Ok(());
            }
            generation
        };
        let spare = self.make(kind, serving).await?;
        self.put(kind, spare, generation);
        Ok(())
    }

    /// Forgets everything that was made ahead of time.
    pub(super) fn refresh(&self) {
        let mut shelves = self.shelves();
        shelves.generation += 1;
        shelves.templates.clear();
        let old: Vec<Ready> =
            shelves.of.values_mut().flat_map(|shelf| std::mem::take(&mut shelf.ready)).collect();
        drop(shelves);
        drop(old);
        self.bell.notify_one();
    }

    /// How many stems, and how many bare sandboxes, are ready.
    pub(super) fn ready(&self) -> (usize, usize) {
        let shelves = self.shelves();
        let count = |stems: bool| {
            let of = shelves.of.iter().filter(|(kind, _)| kind.stem_class_mib.is_some() == stems);
            of.map(|(_, shelf)| shelf.ready.len()).sum()
        };
        (count(true), count(false))
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf<'a>(
        &self,
        shelves: &'a mut Shelves,
        kind: Kind,
        serving: &Serving,
        now: Instant,
    ) -> &'a mut Shelf {
        shelves.of.entry(kind).or_insert_with(|| {
            let max = if kind.stem_class_mib.is_some() { self.stems_max } else { BARE_MAX };
            let demand = Demand::new(max, now);
            Shelf { serving: serving.clone(), demand, ready: Vec::new(), not_before: now }
        })
    }

    async fn make(&self, kind: Kind, serving: &Serving) -> Result<Spare, Fault> {
        let mut spare = self.make_bare(serving, Cpu::Weight(CPU_PER_MILLE_INITIAL)).await?;
        if let Some(class_mib) = kind.stem_class_mib {
            spare.runtime = Some(stem::start(&spare.sandbox, serving, class_mib).await?);
        }
        Ok(spare)
    }

    /// A new sandbox.
    pub(super) async fn make_bare(&self, serving: &Serving, cpu: Cpu) -> Result<Spare, Fault> {
        let template = self.template(serving).await?;
        let limits = Limits { memory_mib: MEMORY_MIB_INITIAL, cpu, pids: limits::PROCESSES };
        let sandbox = self.sandboxes.create(&template, limits).await.map_err(fault)?;
        Ok(Spare { sandbox, runtime: None })
    }

    async fn template(&self, serving: &Serving) -> Result<Template, Fault> {
        let generation = {
            let shelves = self.shelves();
            if let Some(known) = shelves.templates.get(&serving.runtime()) {
                return Ok(known.clone());
            }
            shelves.generation
        };
        let asked = serving.clone();
        let spec = tokio::task::spawn_blocking(move || asked.template()).await.map_err(fault)?;
        let template = self.sandboxes.template(spec).await.map_err(fault)?;
        let mut shelves = self.shelves();
        if shelves.generation == generation {
            shelves.templates.insert(serving.runtime(), template.clone());
        }
        Ok(template)
    }

    fn put(self: &Arc<Self>, kind: Kind, spare: Spare, generation: u64) {
        let mut shelves = self.shelves();
        if shelves.generation != generation {
            return;
        }
        shelves.next_id += 1;
        let id = shelves.next_id;
        let watch = spare.runtime.as_ref().map(|runtime| {
            let (pool, exited) = (Arc::downgrade(self), runtime.exited());
            let watching = tokio::spawn(async move {
                let exit = exited.await;
                if let Some(pool) = pool.upgrade() {
                    // At a shutdown all of them do.
                    tracing::debug!(runtime = %kind.runtime, ?exit, "a runtime that was started ahead of time has ended");
                    pool.lose(kind, id);
                }
            });
            Watch(watching.abort_handle())
        });
        if let Some(shelf) = shelves.of.get_mut(&kind) {
            shelf.ready.push(Ready { id, spare, _watch: watch });
        }
    }

    /// A stem has died.
    fn lose(&self, kind: Kind, id: u64) {
        let mut shelves = self.shelves();
        let Some(shelf) = shelves.of.get_mut(&kind) else { return };
        let lost = shelf.ready.iter().position(|ready| ready.id == id).map(|at| shelf.ready.remove(at));
        shelf.not_before = Instant::now() + FAILURE_PAUSE;
        drop(shelves);
        drop(lost);
        self.bell.notify_one();
    }

    /// Removes what is too much, and says what is to be done next.
    fn step(&self, now: Instant) -> Step {
        let mut too_many = Vec::new();
        let mut shelves = self.shelves();
        shelves.of.retain(|_, shelf| {
            let goal = shelf.demand.goal(now);
            too_many.extend(shelf.ready.drain(goal.min(shelf.ready.len())..));
            goal > 0
        });
        let quiet = match self.starting.load(Ordering::Relaxed) {
            0 => QUIET,
            _ => QUIET_WHILE_STARTING,
        };
        let step = shelves.next(now, quiet);
        drop(shelves);
        drop(too_many);
        step
    }

    /// Makes room for functions.
    fn clear(&self) {
        let ready: Vec<Ready> =
            self.shelves().of.values_mut().flat_map(|shelf| std::mem::take(&mut shelf.ready)).collect();
        drop(ready);
    }

    async fn stock(self: &Arc<Self>, kind: Kind, serving: &Serving) {
        let generation = self.shelves().generation;
        match self.make(kind, serving).await {
            Ok(spare) => self.put(kind, spare, generation),
            // A start that finds none makes its own, and says what is wrong.
            Err(error) => {
                tracing::warn!(runtime = %kind.runtime, %error, "sandbox not made ahead of time");
                if let Some(shelf) = self.shelves().of.get_mut(&kind) {
                    shelf.not_before = Instant::now() + FAILURE_PAUSE;
                }
            }
        }
    }
}

impl Drop for Pool {
    /// Lets the refilling task end.
    fn drop(&mut self) {
        self.bell.notify_one();
    }
}

impl Shelves {
    fn next(&self, now: Instant, quiet: Duration) -> Step {
        let lacks = |shelf: &Shelf| shelf.demand.goal(now).saturating_sub(shelf.ready.len());
        let hungry = self.of.iter().filter(|(_, shelf)| lacks(shelf) > 0);
        let (ripe, paused): (Vec<_>, Vec<_>) = hungry.partition(|(_, shelf)| shelf.not_before <= now);
        // The emptiest shelf first: a kind without any costs its next function the most.
        if let Some((kind, shelf)) = ripe.into_iter().min_by_key(|(_, shelf)| shelf.ready.len()) {
            let quiet_at = self.last_taken + quiet;
            return if quiet_at <= now {
                Step::Make(*kind, shelf.serving.clone())
            } else {
                Step::WaitUntil(quiet_at)
            };
        }
        let less = self.of.values().filter_map(|shelf| shelf.demand.less_at(now));
        let next = paused.into_iter().map(|(_, shelf)| shelf.not_before).chain(less).min();
        next.map_or(Step::WaitForBell, Step::WaitUntil)
    }
}

async fn refill(pool: Weak<Pool>, bell: Arc<Notify>) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut budget = Budget::quarter_of(processors, Instant::now());
    loop {
        let now = Instant::now();
        let Some(strong) = pool.upgrade() else { return };
        let until = match strong.step(now) {
            Step::WaitForBell => None,
            Step::WaitUntil(until) => Some(until),
            Step::Make(..) if !budget.wait(now).is_zero() => Some(now + budget.wait(now)),
            Step::Make(..) if available_memory_mib() < strong.reserve_mib => {
                strong.clear();
                Some(now + FAILURE_PAUSE)
            }
            Step::Make(kind, serving) => {
                budget.spend(kind.cost(), now);
                strong.stock(kind, &serving).await;
                continue;
            }
        };
        drop(strong);
        let rung = bell.notified();
        match until {
            // A bell rings for each start; what it asks for comes soon enough.
            Some(until) if until < now + FAILURE_PAUSE => tokio::time::sleep_until(until.into()).await,
            Some(until) => drop(tokio::time::timeout_at(until.into(), rung).await),
            None => rung.await,
        }
    }
}

/// How many stems of a kind a machine of so much memory has room for.
fn stems_max(machine_mib: u64) -> usize {
    usize::try_from((machine_mib / STEMS_PART / STEM_MIB).min(STEMS_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_costs_what_its_interpreter_takes() {
        let cost = |runtime, stem_class_mib| Kind { runtime, stem_class_mib }.cost();
        assert_eq!(cost(Runtime::Python312, None), BARE_COST);
        assert_eq!(cost(Runtime::Python312, Some(128)), STEM_COST);
        assert_eq!(cost(Runtime::Node20, Some(128)), NODE_STEM_COST);
        assert_eq!(cost(Runtime::Node20, None), BARE_COST);
    }

    #[test]
    fn stems_hold_a_thirty_second_of_the_memory_at_most() {
        for (machine_mib, expected) in [(0, 0), (300, 0), (320, 1), (8 * 1024, 25), (64 * 1024, 64)] {
            assert_eq!(stems_max(machine_mib), expected, "{machine_mib} MiB");
        }
    }
}
