//! Chooses the environment that serves an invocation: one pool for each function revision.
//!
//! The most recently used idle environment goes first, so that the others grow old and can go. A request that finds
//! none waits, and takes whichever environment is free first, new or warm. Never are more environments on their way
//! (starting, or about to be free) than requests wait for, except for those that are initialised ahead of requests
//! ([`ahead`]): provisioned concurrency, and SnapStart.
//!
//! A pool only keeps the books, under a lock held for lookups. It neither starts environments nor counts
//! concurrency: [`crate::admission`] has already granted the permit.

mod ahead;
mod keep;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::FunctionVersion;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use uuid::Uuid;

use self::keep::Keep;
use crate::admission::{Gate, Permit, Slots};
use crate::idle::IdleMemory;
use crate::invocation::StreamHead;
use crate::observation::Reply;
use crate::{Allocation, FunctionKey, Initialization, Invocation, InvokeError};

/// Names an environment within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EnvironmentId(pub(crate) u64);

/// An invocation that has been admitted, and whoever waits for it.
pub(crate) struct Job {
    pub(crate) invocation: Invocation,
    pub(crate) permit: Permit,
    pub(crate) reply: Reply,
    /// Set while the caller would take the response in parts.
    pub(crate) stream: Option<oneshot::Sender<StreamHead>>,
}

impl Job {
    /// Gives the permit back and tells the caller, if it still waits.
    pub(crate) fn fail(self, error: InvokeError) {
        drop(self.permit);
        self.reply.send(Err(error));
    }
}

/// What placement and the engine tell an environment.
pub(crate) enum Command {
    /// Run this.
    Assign(Box<Job>),
    /// Stop when free.
    Retire,
    /// Stop now.
    Abort,
}

/// A place in a pool for an environment that is to be started.
pub(crate) struct Ticket {
    pub(crate) id: EnvironmentId,
    pub(crate) initialization: Initialization,
    /// No request is there yet.
    pub(crate) ahead: bool,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

/// What became of a job.
pub(crate) enum Submitted {
    /// An environment has it.
    Assigned,
    /// It waits, and these environments are to be started.
    Waiting(Vec<Ticket>),
    /// The pool is no longer in use; there is another, or there will be.
    Closed(Box<Job>),
}

/// What a free environment does next.
pub(crate) enum Offered {
    /// It takes this.
    Job(Box<Job>),
    /// It waits, and may stop when it has waited for too long.
    Wait,
    /// It waits for as long as it takes.
    Keep,
    /// Its revision is retired: it stops.
    Stop,
}

/// What environments must have in common to serve the same requests: none is ever used by two tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) revision: Uuid,
    pub(crate) tenant_id: Option<Arc<str>>,
}

impl PoolKey {
    /// Where the invocation belongs.
    pub(crate) fn of(invocation: &Invocation) -> Self {
        Self { revision: invocation.version.revision, tenant_id: invocation.tenant_id.clone() }
    }
}

/// The environments of one function revision, and the requests that wait for one.
pub(crate) struct Pool {
    pub(crate) key: PoolKey,
    pub(crate) function: FunctionKey,
    pub(crate) version: Arc<FunctionVersion>,
    pub(crate) gate: Arc<Gate>,
    /// Provisioned concurrency, once it is all there.
    pub(crate) slots: Arc<Slots>,
    ids: Arc<Ids>,
    idle_memory: Arc<IdleMemory>,
    /// Rings when there may be something to initialise ahead.
    bell: Arc<Notify>,
    allocation: watch::Sender<Allocation>,
    books: Mutex<Books>,
}

/// Hands out names.
#[derive(Default)]
pub(crate) struct Ids(std::sync::atomic::AtomicU64);

impl Ids {
    fn next(&self) -> EnvironmentId {
        EnvironmentId(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Books {
    members: HashMap<EnvironmentId, Member>,
    /// The most recently used last.
    idle: Vec<EnvironmentId>,
    /// Those that are kept, and wait.
    ready: Vec<EnvironmentId>,
    keep: Keep,
    waiting: VecDeque<Box<Job>>,
    starting: usize,
    releasing: usize,
    retired: bool,
    closed: bool,
}

struct Member {
    commands: mpsc::UnboundedSender<Command>,
    standing: Standing,
    /// It is one of those that are initialised ahead.
    kept: bool,
    /// Goes back when it has started.
    turn: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Starting,
    Busy,
    /// Its invocation is answered: it will be free in a moment.
    Releasing,
    Idle {
        since: Instant,
        held: Held,
        /// It is kept, whatever the idle ones may hold together.
        kept: bool,
    },
}

/// What an idle environment is worth and what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) memory_bytes: u64,
    pub(crate) init: Duration,
}

/// An idle environment, for the choice of which to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct IdleEntry {
    pub(crate) id: EnvironmentId,
    pub(crate) since: Instant,
    pub(crate) held: Held,
}

impl Pool {
    pub(crate) fn new(
        key: PoolKey,
        version: Arc<FunctionVersion>,
        gate: Arc<Gate>,
        ids: Arc<Ids>,
        idle_memory: Arc<IdleMemory>,
        bell: Arc<Notify>,
    ) -> Self {
        let function = FunctionKey::of(&version);
        let (slots, books) = (Arc::default(), Mutex::default());
        let allocation = watch::Sender::new(Allocation::default());
        Self { key, function, version, gate, slots, ids, idle_memory, bell, allocation, books }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the job to an idle environment, or lets it wait.
    pub(crate) fn submit(&self, mut job: Box<Job>) -> Submitted {
        let mut books = self.books();
        if books.closed {
            return Submitted::Closed(job);
        }
        if books.keep.resume() {
            self.bell.notify_one();
        }
        while let Some(id) = books.pop_free() {
            self.occupy(&mut books, id);
            match books.members[&id].commands.send(Command::Assign(job)) {
                Ok(()) => return Submitted::Assigned,
                // Its task is gone; it will not be missed.
                Err(mpsc::error::SendError(Command::Assign(returned))) => job = returned,
                Err(_) => unreachable!("what was sent is an assignment"),
            }
        }
        books.waiting.push_back(job);
        Submitted::Waiting(self.demand(&mut books))
    }

    /// The environment is free; `held` is what it is worth while it waits.
    pub(crate) fn offer(&self, id: EnvironmentId, held: Held) -> Offered {
        let mut books = self.books();
        // It was told to stop while it was starting, and has come this far meanwhile.
        let Some(member) = books.members.get(&id) else { return Offered::Stop };
        let (kept, starting) = (member.kept, member.standing == Standing::Starting);
        self.stand(&mut books, id, Standing::Busy);
        if kept && starting {
            books.keep.ready();
            self.publish(&books);
        }
        if let Some(job) = books.waiting.pop_front() {
            self.occupy(&mut books, id);
            return Offered::Job(job);
        }
        if books.retired {
            return Offered::Stop;
        }
        self.stand(&mut books, id, Standing::Idle { since: Instant::now(), held, kept });
        if kept {
            books.ready.push(id);
            return Offered::Keep;
        }
        books.idle.push(id);
        Offered::Wait
    }

    /// The environment has answered and will offer itself in a moment: a waiting request may count on it.
    pub(crate) fn releasing(&self, id: EnvironmentId) {
        let mut books = self.books();
        self.stand(&mut books, id, Standing::Releasing);
    }

    /// The environment takes its time after all. Environments to start instead.
    pub(crate) fn disappoint(&self, id: EnvironmentId) -> Vec<Ticket> {
        let mut books = self.books();
        self.stand(&mut books, id, Standing::Busy);
        self.demand(&mut books)
    }

    /// Takes the environment off the list if it still is idle there. It then may stop without losing anything.
    pub(crate) fn withdraw(&self, id: EnvironmentId) -> bool {
        let mut books = self.books();
        let Books { idle, ready, .. } = &mut *books;
        let free = [idle, ready].into_iter().find_map(|free| {
            let at = free.iter().rposition(|free| *free == id)?;
            Some(free.remove(at))
        });
        if free.is_some() {
            self.stand(&mut books, id, Standing::Busy);
        }
        free.is_some()
    }

    /// Withdraws the environment and tells it to stop.
    pub(crate) fn evict(&self, id: EnvironmentId) -> bool {
        let withdrawn = self.withdraw(id);
        let mut books = self.books();
        if withdrawn && let Some(member) = books.members.get(&id) {
            let _ = member.commands.send(Command::Retire);
            if member.kept {
                // Or it would be made again at once.
                books.keep.suspend();
            }
        }
        withdrawn
    }

    /// The environment is no more. Environments to start instead, for the requests that counted on it.
    pub(crate) fn leave(&self, id: EnvironmentId) -> Vec<Ticket> {
        let mut books = self.books();
        self.remove(&mut books, id);
        self.demand(&mut books)
    }

    /// The environment did not come to be: the request that has waited longest and now counts on nothing, if any.
    pub(crate) fn abandon(&self, id: EnvironmentId) -> Option<Box<Job>> {
        let mut books = self.books();
        self.remove(&mut books, id);
        if books.missing() > 0 { books.waiting.pop_front() } else { None }
    }

    /// The machine has no room for an environment that a request was promised: the request that came last.
    pub(crate) fn refuse(&self, ticket: &Ticket) -> Option<Box<Job>> {
        let mut books = self.books();
        self.remove(&mut books, ticket.id);
        if books.missing() > 0 { books.waiting.pop_back() } else { None }
    }

    /// From now on, or no longer, environments stop when they are free. Idle ones stop at once, and so do those that are
    /// still starting and that no request waits for: their initialisation may take minutes.
    pub(crate) fn set_retired(&self, retired: bool) {
        let mut books = self.books();
        books.retired = retired;
        if !retired {
            return;
        }
        for id in books.starting_for_nobody() {
            let _ = books.members[&id].commands.send(Command::Abort);
            self.remove(&mut books, id);
        }
        let free = std::mem::take(&mut books.idle).into_iter().chain(std::mem::take(&mut books.ready));
        for id in free.collect::<Vec<_>>() {
            self.stand(&mut books, id, Standing::Busy);
            let _ = books.members[&id].commands.send(Command::Retire);
        }
    }

    /// Stops every environment now, and fails what waits.
    pub(crate) fn abort(&self) {
        let mut books = self.books();
        for job in std::mem::take(&mut books.waiting) {
            job.fail(InvokeError::ShuttingDown);
        }
        for member in books.members.values() {
            let _ = member.commands.send(Command::Abort);
        }
    }

    /// Marks the pool as no longer in use if nothing is in it.
    pub(crate) fn close_if_empty(&self) -> bool {
        let mut books = self.books();
        books.closed = books.members.is_empty() && books.waiting.is_empty() && !books.keep.is_wanted();
        books.closed
    }

    /// The idle environments.
    pub(crate) fn idle(&self) -> Vec<IdleEntry> {
        let books = self.books();
        books.entries(&books.idle)
    }

    /// Tickets for the environments that waiting requests lack. What is held ready serves them first.
    fn demand(&self, books: &mut Books) -> Vec<Ticket> {
        // Only for one that is about to be free do they wait beside it.
        while books.waiting.len() > books.releasing
            && let Some(id) = books.ready.pop()
            && let Some(job) = books.waiting.pop_front()
        {
            self.occupy(books, id);
            // Its task may be gone; it will not be missed.
            if let Err(mpsc::error::SendError(Command::Assign(job))) =
                books.members[&id].commands.send(Command::Assign(job))
            {
                books.waiting.push_front(job);
            }
        }
        let initialization = Initialization::on_demand(&self.version);
        (0..books.missing()).map(|_| self.ticket(books, initialization, None)).collect()
    }

    /// A place for an environment; with a turn it is one of those that are initialised ahead.
    fn ticket(
        &self,
        books: &mut Books,
        initialization: Initialization,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Ticket {
        let id = self.ids.next();
        let (sender, commands) = mpsc::unbounded_channel();
        let ahead = turn.is_some();
        let member = Member { commands: sender, standing: Standing::Starting, kept: ahead, turn };
        books.members.insert(id, member);
        books.starting += 1;
        Ticket { id, initialization, ahead, commands }
    }

    /// The environment gets an invocation. Of a version with SnapStart it is then no longer one that waits for the first.
    fn occupy(&self, books: &mut Books, id: EnvironmentId) {
        self.stand(books, id, Standing::Busy);
        if books.keep.kind() == Initialization::SnapStart {
            self.release(books, id);
        }
    }

    fn remove(&self, books: &mut Books, id: EnvironmentId) {
        self.stand(books, id, Standing::Busy);
        self.release(books, id);
        books.members.remove(&id);
        books.idle.retain(|idle| *idle != id);
        books.ready.retain(|ready| *ready != id);
    }

    /// Changes an environment's standing, and every count with it.
    fn stand(&self, books: &mut Books, id: EnvironmentId, standing: Standing) {
        let Some(member) = books.members.get_mut(&id) else { return };
        match std::mem::replace(&mut member.standing, standing) {
            Standing::Starting => {
                books.starting -= 1;
                if member.turn.take().is_some() {
                    self.bell.notify_one();
                }
                if member.kept {
                    books.keep.started();
                }
            }
            Standing::Releasing => books.releasing -= 1,
            Standing::Idle { held, kept: false, .. } => self.idle_memory.take(held.memory_bytes),
            Standing::Idle { kept: true, .. } | Standing::Busy => {}
        }
        match standing {
            Standing::Starting => books.starting += 1,
            Standing::Releasing => books.releasing += 1,
            Standing::Idle { held, kept: false, .. } => self.idle_memory.put(held.memory_bytes),
            Standing::Idle { kept: true, .. } | Standing::Busy => {}
        }
    }
}

impl Books {
    /// How many waiting requests count on nothing yet.
    fn missing(&self) -> usize {
        self.waiting.len().saturating_sub(self.starting + self.releasing)
    }

    /// Environments that are starting and that no waiting request counts on, those that are kept before others.
    fn starting_for_nobody(&self) -> Vec<EnvironmentId> {
        let starting = self.members.iter().filter(|(_, member)| member.standing == Standing::Starting);
        let mut starting: Vec<_> = starting.map(|(id, member)| (!member.kept, *id)).collect();
        starting.sort_unstable();
        let surplus = (self.starting + self.releasing).saturating_sub(self.waiting.len());
        starting.into_iter().take(surplus).map(|(_, id)| id).collect()
    }

    /// Takes an environment that waits. Provisioned ones go first, so that the others grow old; of a version with SnapStart
    /// those that have served before, also if that takes a moment.
    fn pop_free(&mut self) -> Option<EnvironmentId> {
        match self.keep.kind() {
            Initialization::SnapStart => self.idle.pop().or_else(|| {
                let one_is_about_to_be_free = self.releasing > self.waiting.len();
                if one_is_about_to_be_free { None } else { self.ready.pop() }
            }),
            Initialization::Provisioned | Initialization::OnDemand => {
                self.ready.pop().or_else(|| self.idle.pop())
            }
        }
    }

    fn entries(&self, ids: &[EnvironmentId]) -> Vec<IdleEntry> {
        let entry = |id: &EnvironmentId| match self.members[id].standing {
            Standing::Idle { since, held, .. } => Some(IdleEntry { id: *id, since, held }),
            _ => None,
        };
        ids.iter().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests;
