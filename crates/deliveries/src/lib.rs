//! One durable pipeline for everything that sends anything: "this event, to this ARN".
//!
//! A [`Delivery`] is accepted in the transaction of its cause ([`Deliveries::accept`]), so that both happen or neither.
//! From the commit on it is attempted by the [handler](Deliveries::on) of its target's kind, again after an interval if
//! need be, until it is delivered or given up; then it goes to its dead-letter target, as another delivery. Who wants
//! to know nothing of all that only says what goes where.
//!
//! # Guarantees
//! - What was accepted is attempted at least once, whatever happens to the process, and is never dropped in silence.
//!   After a kill, what was under way is attempted again.
//! - A delivery and what follows from it (a destination's record, a dead letter) change hands in one transaction.
//! - Each target has a lane of its own: many events for one never delay another's.
//! - Memory is bounded by the number of targets and by what is under way, not by the backlog, which waits on the disk.
//! - When a lane holds [`LANE_ITEMS_MAX`], [`AcceptError::Full`] tells the caller.
//! - Nothing polls: a commit wakes its lane, a lane wakes for what is due, by the server's [`Time`].

mod answer;
mod inner;
mod lane;
mod letter;
mod record;
mod worker;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use store::{Store, Tx};

pub use answer::{Answer, Verdict};
use inner::{Handler, Inner};
pub use record::{
    Attribute, Backoff, DeadLetter, Delivery, Event, GivenUp, Message, Parcel, Policy, Purpose, Sender,
};

/// How many deliveries to one target may wait.
pub const LANE_ITEMS_MAX: usize = 1_000_000;

/// The pipeline. A cheap handle.
#[derive(Clone)]
pub struct Deliveries {
    inner: Arc<Inner>,
}

/// A delivery was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AcceptError {
    /// Too many wait for the same target.
    #[error("{LANE_ITEMS_MAX} events wait for {target} already")]
    Full {
        /// Which.
        target: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Deliveries {
    /// The pipeline of a store. It can accept at once, and attempts nothing before [`Deliveries::start`].
    ///
    /// Must be called inside an async runtime.
    pub fn new(store: Store, time: Time) -> Self {
        Self { inner: Arc::new(Inner::new(store, time)) }
    }

    /// Says how deliveries to a kind of target are attempted: `lambda`, `sqs`, … as the third part of an ARN has it, or
    /// `https`, as a URL begins. At most `at_once` of one target are under way at a time.
    ///
    /// # Panics
    /// If the kind has a handler already.
    pub fn on<H, F>(&self, kind: &'static str, at_once: usize, handler: H)
    where
        H: Fn(Parcel) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.inner
            .register(kind, Handler { at_once, attempt: Arc::new(move |parcel| Box::pin(handler(parcel))) });
    }

    /// Tells `listener` of every delivery that is given up, beside the log.
    pub fn on_given_up(&self, listener: impl Fn(&GivenUp) + Send + Sync + 'static) {
        self.inner.listen(Arc::new(listener));
    }

    /// Takes up whatever waits in the store, and goes on.
    pub async fn start(&self) -> Result<(), store::Error> {
        let inner = Arc::clone(&self.inner);
        // Counting a long backlog takes a while.
        let taken_up = tokio::task::spawn_blocking(move || inner.start()).await;
        taken_up.unwrap_or_else(|panic| Err(store::Error::Panicked(panic.to_string())))
    }

    /// Accepts a delivery in the transaction of its cause, whatever the domain. It is attempted once that is committed.
    ///
    /// # Errors
    /// [`AcceptError::Full`] if too many wait for the target, or the store's. Nothing is accepted then.
    pub fn accept(&self, tx: &mut Tx<'_>, delivery: Delivery) -> Result<(), AcceptError> {
        if self.inner.waiting(tx.domain(), &delivery.target) >= LANE_ITEMS_MAX {
            return Err(AcceptError::Full { target: delivery.target });
        }
        Ok(inner::accept(&self.inner, tx, delivery)?)
    }

    /// How many deliveries to a target wait or are under way.
    pub fn waiting(&self, target: &str) -> usize {
        store::Domain::ALL.iter().map(|domain| self.inner.waiting(*domain, target)).sum()
    }

    /// Begins no more attempts, and waits for those under way, but not for ever. What is left is taken up at the next
    /// start.
    pub async fn stop(&self, patience: Duration) {
        self.inner.stop(patience).await;
    }

    /// Forgets everything: the store was emptied.
    pub fn reset(&self) {
        self.inner.reset();
    }
}
