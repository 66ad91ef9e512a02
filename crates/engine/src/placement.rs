//! Chooses the environment that serves an invocation: one pool for each function revision.
//!
//! The most recently used idle environment goes first, so that the others grow old and can go. A request that finds
//! none waits, and takes whichever environment is free first, new or warm. Never are more environments on their way
//! (starting, or about to be free) than requests wait for.
//!
//! A pool only keeps the books, under a lock held for lookups. It neither starts environments nor counts
//! concurrency: [`crate::admission`] has already granted the permit.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::FunctionVersion;
use tokio::sync::{mpsc, oneshot};

use crate::admission::Permit;
use crate::idle::IdleMemory;
use crate::invocation::StreamHead;
use crate::{FunctionKey, Invocation, InvokeError, Outcome};

/// Names an environment within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EnvironmentId(pub(crate) u64);

/// An invocation that has been admitted, and whoever waits for it.
pub(crate) struct Job {
    pub(crate) invocation: Invocation,
    pub(crate) permit: Permit,
    pub(crate) reply: oneshot::Sender<Result<Outcome, InvokeError>>,
    /// Set while the caller would take the response in parts.
    pub(crate) stream: Option<oneshot::Sender<StreamHead>>,
}

impl Job {
    /// Gives the permit back and tells the caller, if it still waits.
    pub(crate) fn fail(self, error: InvokeError) {
        drop(self.permit);
        let _ = self.reply.send(Err(error));
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
    /// It waits.
    Wait,
    /// Its revision is retired: it stops.
    Stop,
}

/// The environments of one function revision, and the requests that wait for one.
pub(crate) struct Pool {
    pub(crate) key: FunctionKey,
    pub(crate) version: Arc<FunctionVersion>,
    ids: Arc<Ids>,
    idle_memory: Arc<IdleMemory>,
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
    waiting: VecDeque<Box<Job>>,
    starting: usize,
    releasing: usize,
    retired: bool,
    closed: bool,
}

struct Member {
    commands: mpsc::UnboundedSender<Command>,
    standing: Standing,
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
    pub(crate) fn new(version: Arc<FunctionVersion>, ids: Arc<Ids>, idle_memory: Arc<IdleMemory>) -> Self {
        Self { key: FunctionKey::of(&version), version, ids, idle_memory, books: Mutex::default() }
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
        while let Some(id) = books.idle.pop() {
            self.stand(&mut books, id, Standing::Busy);
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
        if let Some(job) = books.waiting.pop_front() {
            self.stand(&mut books, id, Standing::Busy);
            return Offered::Job(job);
        }
        if books.retired {
            return Offered::Stop;
        }
        self.stand(&mut books, id, Standing::Idle { since: Instant::now(), held });
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
        let Some(at) = books.idle.iter().rposition(|idle| *idle == id) else { return false };
        books.idle.remove(at);
        self.stand(&mut books, id, Standing::Busy);
        true
    }

    /// Withdraws the environment and tells it to stop.
    pub(crate) fn evict(&self, id: EnvironmentId) -> bool {
        let withdrawn = self.withdraw(id);
        if withdrawn && let Some(member) = self.books().members.get(&id) {
            let _ = member.commands.send(Command::Retire);
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
        if books.waiting.len() > books.starting + books.releasing { books.waiting.pop_front() } else { None }
    }

    /// The machine has no room for an environment that a request was promised: the request that came last.
    pub(crate) fn refuse(&self, ticket: &Ticket) -> Option<Box<Job>> {
        let mut books = self.books();
        self.remove(&mut books, ticket.id);
        if books.waiting.len() > books.starting + books.releasing { books.waiting.pop_back() } else { None }
    }

    /// From now on, or no longer, environments stop when they are free. Idle ones stop at once.
    pub(crate) fn set_retired(&self, retired: bool) {
        let mut books = self.books();
        books.retired = retired;
        if !retired {
            return;
        }
        for id in std::mem::take(&mut books.idle) {
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
        books.closed = books.members.is_empty() && books.waiting.is_empty();
        books.closed
    }

    /// The idle environments.
    pub(crate) fn idle(&self) -> Vec<IdleEntry> {
        let books = self.books();
        let entry = |id: &EnvironmentId| match books.members[id].standing {
            Standing::Idle { since, held } => Some(IdleEntry { id: *id, since, held }),
            _ => None,
        };
        books.idle.iter().filter_map(entry).collect()
    }

    /// Tickets for the environments that waiting requests lack.
    fn demand(&self, books: &mut Books) -> Vec<Ticket> {
        let missing = books.waiting.len().saturating_sub(books.starting + books.releasing);
        (0..missing)
            .map(|_| {
                let id = self.ids.next();
                let (sender, commands) = mpsc::unbounded_channel();
                books.members.insert(id, Member { commands: sender, standing: Standing::Starting });
                books.starting += 1;
                Ticket { id, commands }
            })
            .collect()
    }

    fn remove(&self, books: &mut Books, id: EnvironmentId) {
        self.stand(books, id, Standing::Busy);
        books.members.remove(&id);
        books.idle.retain(|idle| *idle != id);
    }

    /// Changes an environment's standing, and every count with it.
    fn stand(&self, books: &mut Books, id: EnvironmentId, standing: Standing) {
        let Some(member) = books.members.get_mut(&id) else { return };
        match std::mem::replace(&mut member.standing, standing) {
            Standing::Starting => books.starting -= 1,
            Standing::Releasing => books.releasing -= 1,
            Standing::Idle { held, .. } => self.idle_memory.take(held.memory_bytes),
            Standing::Busy => {}
        }
        match standing {
            Standing::Starting => books.starting += 1,
            Standing::Releasing => books.releasing += 1,
            Standing::Idle { held, .. } => self.idle_memory.put(held.memory_bytes),
            Standing::Busy => {}
        }
    }
}
