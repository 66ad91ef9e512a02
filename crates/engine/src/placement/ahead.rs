//! Environments that are initialised before a request is there: how a pool's books know them.

use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;

use super::{Books, Command, EnvironmentId, IdleEntry, Pool, Standing, Ticket};
use crate::{Allocation, Initialization};

impl Pool {
    /// So many environments are to be initialised ahead from now on; false if the pool is no longer in use.
    pub(crate) fn keep(&self, kind: Initialization, wanted: u32) -> bool {
        let mut books = self.books();
        if books.closed {
            return false;
        }
        let surplus = books.keep.set(kind, wanted);
        for _ in 0..surplus {
            self.let_go(&mut books);
        }
        self.publish(&books);
        true
    }

    /// Whether another environment is to be initialised now.
    pub(crate) fn lacks_ahead(&self, now: Instant) -> bool {
        let books = self.books();
        !books.retired && books.keep.lacks(now)
    }

    /// When that will be so, if it has to wait.
    pub(crate) fn retry_ahead_at(&self) -> Option<Instant> {
        self.books().keep.retry_at()
    }

    /// A place for such an environment. `turn` comes back when it has started.
    pub(crate) fn begin_ahead(&self, turn: OwnedSemaphorePermit, now: Instant) -> Option<Ticket> {
        let mut books = self.books();
        if books.retired || books.closed || !books.keep.lacks(now) {
            return None;
        }
        books.keep.begin();
        let initialization = books.keep.kind();
        let ticket = self.ticket(&mut books, initialization, Some(turn));
        self.publish(&books);
        Some(ticket)
    }

    /// An environment could not be initialised ahead.
    pub(crate) fn failed_ahead(&self, reason: String) {
        let mut books = self.books();
        books.keep.failed(reason, Instant::now());
        self.publish(&books);
    }

    /// Whether the environment is one of those that are kept.
    pub(crate) fn is_kept(&self, id: EnvironmentId) -> bool {
        self.books().members.get(&id).is_some_and(|member| member.kept)
    }

    /// How far it is.
    pub(crate) fn allocation(&self) -> Allocation {
        self.allocation.borrow().clone()
    }

    /// Waits until what is kept is there, or cannot be had for now.
    pub(crate) fn watch(&self) -> tokio::sync::watch::Receiver<Allocation> {
        self.allocation.subscribe()
    }

    /// Environments that wait initialised and may go when memory is short.
    pub(crate) fn ready_for_pressure(&self) -> Vec<IdleEntry> {
        let books = self.books();
        if books.keep.kind() != Initialization::SnapStart {
            return Vec::new();
        }
        books.entries(&books.ready)
    }

    /// Stops keeping one environment: one that waits stops, one that works goes on as any other.
    fn let_go(&self, books: &mut Books) {
        if let Some(id) = books.ready.pop() {
            self.stand(books, id, Standing::Busy);
            self.release(books, id);
            let _ = books.members[&id].commands.send(Command::Retire);
            return;
        }
        let working = books.members.iter().find(|(_, member)| member.kept).map(|(id, _)| *id);
        if let Some(id) = working {
            self.release(books, id);
        }
    }

    /// The environment is no longer one of those that are kept.
    pub(super) fn release(&self, books: &mut Books, id: EnvironmentId) {
        let Some(member) = books.members.get_mut(&id) else { return };
        if !std::mem::take(&mut member.kept) {
            return;
        }
        if member.standing == Standing::Starting {
            books.keep.started();
        }
        books.keep.release();
        self.publish(books);
        self.bell.notify_one();
    }

    /// Shows admission and whoever watches how far it is.
    pub(super) fn publish(&self, books: &Books) {
        self.slots.open(books.keep.slots());
        self.allocation.send_if_modified(|shown| {
            let now = books.keep.allocation();
            let changed = *shown != now;
            *shown = now;
            changed
        });
    }
}
