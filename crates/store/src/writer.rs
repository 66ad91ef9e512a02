//! One thread per domain that makes all its changes, many calls to a commit.
//!
//! Calls queue. The thread takes the first and, without waiting, whatever else is there or arrives while it works,
//! runs each in a savepoint of one transaction, commits, and then answers them all. So a lone call is committed at
//! once, and under load the price of the disk flush is shared.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::bells::{Bells, Touched};
use crate::format::{self, Durability};
use crate::{Domain, Error, Tx};

/// Calls that may wait; more wait in their callers.
const QUEUE_CALLS: usize = 1024;
/// Calls to a commit, so that the first of a batch does not wait for ever for its answer.
const BATCH_CALLS_MAX: usize = 256;

/// What a transaction did.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) touched: Touched,
    /// To be run once it is committed.
    pub(crate) afterwards: Vec<Box<dyn FnOnce() + Send>>,
}

impl Changes {
    fn merge(&mut self, other: Self) {
        self.touched.merge(other.touched);
        self.afterwards.extend(other.afterwards);
    }
}

/// The handle: a queue with a thread at its end. Dropping it finishes what is queued and ends the thread.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Call>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn spawn(
        domain: Domain,
        path: PathBuf,
        durability: Durability,
        connection: Connection,
        bells: Arc<Bells>,
    ) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel(QUEUE_CALLS);
        let worker = Worker { domain, path, durability, connection, bells, queue };
        let thread =
            std::thread::Builder::new().name(format!("store-{domain}")).spawn(move || worker.run())?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    /// Queues a closure and waits until its effect is committed.
    pub(crate) async fn call<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call = Box::new(Pending { closure: Some(closure), result: None, answer });
        let queue = self.queue.as_ref().expect("it is taken only on drop");
        queue.send(call).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let Some(thread) = self.thread.take() else { return };
        // The last handle may be in a closure, and so be dropped by the thread itself.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("a store writer ended by a panic");
        }
    }
}

/// A queued closure, whatever its types.
trait Call: Send {
    /// Runs the closure once, and keeps its result. `Err` means that its changes must be rolled back.
    fn run(&mut self, tx: Tx<'_>) -> Result<Changes, RolledBack>;
    /// Answers the caller: with the closure's result, or with what became of the transaction around it.
    fn answer(self: Box<Self>, batch: Result<(), Error>);
}

/// A closure failed, by its own account or because the store did; the others of its batch are unharmed.
struct RolledBack {
    failure: Option<Error>,
}

struct Pending<F, T, E> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Call for Pending<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, mut tx: Tx<'_>) -> Result<Changes, RolledBack> {
        let closure = self.closure.take().expect("a call is run once");
        let result = catch_unwind(AssertUnwindSafe(|| closure(&mut tx)))
            .unwrap_or_else(|panic| Err(Error::Panicked(message(&*panic)).into()));
        let (result, verdict) = match (result, tx.finish()) {
            (Ok(value), Ok(changes)) => (Ok(value), Ok(changes)),
            (Ok(_), Err(swallowed)) => {
                (Err(swallowed.clone().into()), Err(RolledBack { failure: Some(swallowed) }))
            }
            (Err(error), finished) => (Err(error), Err(RolledBack { failure: finished.err() })),
        };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, batch: Result<(), Error>) {
        let result = match batch {
            Ok(()) => self.result.expect("a call of a committed batch was run"),
            // Even a closure's own error may come from what it read of the batch, which is gone now.
            Err(error) => Err(error.into()),
        };
        // A caller that no longer waits has nothing to be told.
        let _ = self.answer.send(result);
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

struct Worker {
    domain: Domain,
    path: PathBuf,
    durability: Durability,
    connection: Connection,
    bells: Arc<Bells>,
    queue: mpsc::Receiver<Box<dyn Call>>,
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let (calls, batch) = self.commit_batch(first);
            if let Err(error) = &batch {
                tracing::error!(domain = %self.domain, %error, calls = calls.len(), "store transaction failed");
                self.recover();
            }
            for call in calls {
                // Making the caller's error, or dropping a value that nobody waits for, is the caller's code.
                let answered = catch_unwind(AssertUnwindSafe(|| call.answer(batch.clone())));
                if let Err(panic) = answered {
                    let message = message(&*panic);
                    tracing::error!(domain = %self.domain, message, "answering a store call panicked");
                }
            }
        }
    }

    /// Runs what is queued in one transaction. Gives back every call taken, and whether the transaction was
    /// committed.
    fn commit_batch(&mut self, first: Box<dyn Call>) -> (Vec<Box<dyn Call>>, Result<(), Error>) {
        let mut calls = Vec::new();
        let mut changes = Changes::default();
        let mut batch = self.execute("BEGIN IMMEDIATE");
        let mut next = Some(first);
        while let Some(mut call) = next {
            if batch.is_ok() {
                batch = self.run_in_savepoint(&mut *call).map(|made| changes.merge(made));
            }
            calls.push(call);
            let full = batch.is_err() || calls.len() == BATCH_CALLS_MAX;
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        let batch = batch.and_then(|()| self.execute("COMMIT"));
        if batch.is_ok() {
            self.bells.ring(self.domain, &changes.touched);
            for then in changes.afterwards {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(then)) {
                    let message = message(&*panic);
                    tracing::error!(domain = %self.domain, message, "what follows a commit panicked");
                }
            }
        }
        (calls, batch)
    }

    /// An error is of the whole transaction; a closure that fails is rolled back alone, and has touched nothing.
    fn run_in_savepoint(&self, call: &mut dyn Call) -> Result<Changes, Error> {
        self.execute("SAVEPOINT call")?;
        let verdict = call.run(Tx::new(self.domain, &self.connection));
        if self.connection.is_autocommit() {
            // Some failures, such as a full disk, make the engine roll back everything on the spot.
            let failure = verdict.err().and_then(|rolled_back| rolled_back.failure);
            return Err(failure.unwrap_or_else(given_up));
        }
        match verdict {
            Ok(changes) => self.execute("RELEASE call").map(|()| changes),
            Err(RolledBack { .. }) => {
                self.execute("ROLLBACK TO call")?;
                self.execute("RELEASE call").map(|()| Changes::default())
            }
        }
    }

    fn execute(&self, sql: &'static str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute(())?;
        Ok(())
    }

    /// After a failure: no transaction is open, and the connection works again, or is a new one.
    fn recover(&mut self) {
        if !self.connection.is_autocommit() {
            let _ = self.execute("ROLLBACK");
        }
        if self.connection.is_autocommit() {
            return;
        }
        match format::connect_writer(&self.path, self.durability) {
            Ok(connection) => self.connection = connection,
            Err(error) => tracing::error!(domain = %self.domain, %error, "reopening the store failed"),
        }
    }
}

fn given_up() -> Error {
    Error::Engine(Arc::new(io::Error::other("the engine gave up the transaction")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scan, Table};

    static TEXTS: Table<u64, String> = Table::new("test.texts");

    fn writer(directory: &tempfile::TempDir) -> Writer {
        let (domain, durability) = (Domain::Meta, Durability::Durable);
        format::create_if_missing(directory.path(), domain).unwrap();
        let path = format::path(directory.path(), domain);
        let connection = format::connect_writer(&path, durability).unwrap();
        connection.pragma_update(None, "max_page_count", 20).unwrap();
        Writer::spawn(domain, path, durability, connection, Arc::default()).unwrap()
    }

    #[tokio::test]
    async fn a_full_database_is_an_error_and_what_fits_is_stored_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory);
        writer.call(|tx| tx.put(&TEXTS, &1, &"small".to_owned())).await.unwrap();
        let too_much = writer.call(|tx| (2..50).try_for_each(|n| tx.put(&TEXTS, &n, &"large".repeat(1600))));
        let error: Error = too_much.await.unwrap_err();
        assert!(matches!(error, Error::Full(_)), "{error}");
        assert_eq!(error.to_string(), "the disk that holds the data is full");
        writer.call(|tx| tx.put(&TEXTS, &50, &"small".to_owned())).await.unwrap();
        let stored = writer.call(|tx| tx.keys(&TEXTS, &Scan::all())).await;
        assert_eq!(stored.unwrap(), [1, 50]);
    }

    #[tokio::test]
    async fn a_transaction_that_the_engine_gave_up_fails_and_the_next_one_works() {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&directory);
        let ended: Result<(), Error> = writer
            .call(|tx| {
                tx.put(&TEXTS, &1, &"lost".to_owned())?;
                tx.end_behind_the_writers_back();
                Ok(())
            })
            .await;
        assert_eq!(ended.unwrap_err().to_string(), "the store failed: the engine gave up the transaction");
        writer.call(|tx| tx.put(&TEXTS, &2, &"kept".to_owned())).await.unwrap();
        assert_eq!(writer.call(|tx| tx.keys(&TEXTS, &Scan::all())).await.unwrap(), [2]);
    }
}
