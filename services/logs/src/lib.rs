//! CloudWatch Logs: groups, streams, events, and what functions print.
//!
//! [`service`] is the index of what is implemented. Everything lives in the store's logs domain ([`record`] says how);
//! nothing is cached. Two tasks work beside the handlers: [`ingest`] writes what functions print, and [`janitor`] removes,
//! slice by slice, what was deleted or has expired.

mod append;
mod error;
mod events;
mod groups;
mod ingest;
mod janitor;
mod pattern;
mod record;
pub mod shapes;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use clock::Time;
use domain::{Clock, LogLine, Timestamp};
use store::{Domain, Snapshot, Store, Tx};
use tokio::sync::{Notify, mpsc, watch};
use wire::Error;

use crate::error::Refusal;
use crate::janitor::Bell;

/// The table: one line per operation.
pub fn service(logs: Logs) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, logs)
        .on::<shapes::CreateLogGroup>(groups::create)
        .on::<shapes::DeleteLogGroup>(groups::delete)
        .on::<shapes::DescribeLogGroups>(groups::describe)
        .on::<shapes::PutRetentionPolicy>(groups::put_retention)
        .on::<shapes::DeleteRetentionPolicy>(groups::delete_retention)
        .on::<shapes::TagResource>(groups::tag_resource)
        .on::<shapes::UntagResource>(groups::untag_resource)
        .on::<shapes::ListTagsForResource>(groups::list_tags_for_resource)
        .on::<shapes::TagLogGroup>(groups::tag_log_group)
        .on::<shapes::UntagLogGroup>(groups::untag_log_group)
        .on::<shapes::ListTagsLogGroup>(groups::list_tags_log_group)
        .on::<shapes::CreateLogStream>(streams::create)
        .on::<shapes::DeleteLogStream>(streams::delete)
        .on::<shapes::DescribeLogStreams>(streams::describe)
        .on::<shapes::PutLogEvents>(events::put)
        .on::<shapes::GetLogEvents>(events::get)
        .on::<shapes::FilterLogEvents>(events::filter)
        .build()
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

/// What every handler sees of [`Logs`].
pub struct Inner {
    store: Store,
    time: Time,
    bell: Bell,
    discard: Arc<Notify>,
    finish: Arc<Notify>,
    /// Closed when the task that writes functions' lines has ended.
    ingest: watch::Receiver<()>,
    /// Closed when the janitor has ended.
    janitor: watch::Receiver<()>,
}

impl std::ops::Deref for Logs {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Logs {
    /// Starts to write the lines that functions print, and to remove what expires, was deleted, or is the oldest of more
    /// than `quota_bytes` (as `storedBytes` counts them, of all groups). Needs a runtime.
    pub fn start(store: Store, time: Time, quota_bytes: Option<u64>, lines: mpsc::Receiver<LogLine>) -> Self {
        let (discard, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (bell, rings) = Bell::new();
        let janitor = janitor::spawn(store.clone(), time.clone(), quota_bytes, bell.clone(), rings);
        let ingest = ingest::spawn(
            store.clone(),
            time.clone(),
            bell.clone(),
            Arc::clone(&discard),
            Arc::clone(&finish),
            lines,
        );
        Self(Arc::new(Inner { store, time, bell, discard, finish, ingest, janitor }))
    }

    /// Takes no more lines; waits until every line sent so far is stored and the background work has stopped.
    pub async fn drain(&self) {
        self.finish.notify_one();
        ended(self.ingest.clone()).await;
        self.bell.stop();
        ended(self.janitor.clone()).await;
    }

    /// Throws away the lines that are queued, after the store was emptied: they belong to groups that are gone.
    pub fn reset(&self) {
        self.discard.notify_one();
        self.bell.ring();
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn read<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, Refusal>) -> Result<T, Error> {
        Ok(self.store.read(read)?)
    }

    /// Reads on a thread where others need not wait: pages of events take a while.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || store.read(read)).await;
        Ok(done.map_err(error::service)??)
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.store.write_in(Domain::Logs, write).await?)
    }
}

/// Waits for the end of the task that holds the other side.
async fn ended(mut task: watch::Receiver<()>) {
    while task.changed().await.is_ok() {}
}
