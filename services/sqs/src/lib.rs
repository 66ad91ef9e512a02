//! SQS: standard and FIFO queues whose messages survive whatever happens to the process.
//!
//! [`service`] is the index of what is implemented. Messages are in the store's queues domain ([`record`] says how); what
//! may be received, and in what order, is decided in memory ([`index`]), which is made again at the start. Sends and
//! deletes are answered once they are on the disk; receipts are saved a moment later, since a message may always be
//! received twice.
//!
//! Delays, visibility timeouts, retention and everything else that a queue does by itself goes by the server's time,
//! which may be virtual. How long a receiver waits (`WaitTimeSeconds`) is real time, as its connection is.

mod access;
mod address;
mod attributes;
mod deposit;
mod digest;
mod error;
mod handle;
mod index;
mod janitor;
mod limits;
mod message;
mod message_attributes;
mod messages;
mod moves;
mod numbers;
mod queue;
mod queues;
mod receipt;
mod receive;
mod record;
mod redrive;
mod registry;
mod saver;
pub mod shapes;
mod withdraw;

use std::sync::Arc;

use clock::Time;
use domain::{Clock as _, Timestamp};
use store::{Domain, Snapshot, Store, Tx};
use tokio::sync::{Notify, watch};
use wire::Error;

use crate::error::Refusal;
use crate::numbers::Numbers;
use crate::receipt::Receipts;
use crate::registry::Registry;

pub use access::{Identify, Identity};
pub use handle::{Delivery, QueueHandle, ReceivedMessage};
pub use message_attributes::{Attribute, Content};

/// The table: one line per operation.
pub fn service(sqs: Sqs) -> wire::Service {
    wire::Service::new(&shapes::SERVICE, sqs)
        .on::<shapes::CreateQueue>(queues::create)
        .on::<shapes::DeleteQueue>(queues::delete)
        .on::<shapes::GetQueueUrl>(queues::get_url)
        .on::<shapes::ListQueues>(queues::list)
        .on::<shapes::PurgeQueue>(queues::purge)
        .on::<shapes::GetQueueAttributes>(queues::get_attributes)
        .on::<shapes::SetQueueAttributes>(queues::set_attributes)
        .on::<shapes::ListDeadLetterSourceQueues>(queues::list_dead_letter_sources)
        .on::<shapes::TagQueue>(queues::tag)
        .on::<shapes::UntagQueue>(queues::untag)
        .on::<shapes::ListQueueTags>(queues::list_tags)
        .on::<shapes::AddPermission>(queues::add_permission)
        .on::<shapes::RemovePermission>(queues::remove_permission)
        .on::<shapes::SendMessage>(messages::send)
        .on::<shapes::SendMessageBatch>(messages::send_batch)
        .on::<shapes::ReceiveMessage>(messages::receive)
        .on::<shapes::DeleteMessage>(messages::delete)
        .on::<shapes::DeleteMessageBatch>(messages::delete_batch)
        .on::<shapes::ChangeMessageVisibility>(messages::change_visibility)
        .on::<shapes::ChangeMessageVisibilityBatch>(messages::change_visibility_batch)
        .on::<shapes::StartMessageMoveTask>(moves::start)
        .on::<shapes::CancelMessageMoveTask>(moves::cancel)
        .on::<shapes::ListMessageMoveTasks>(moves::list)
        .build()
}

/// What the service is started with.
pub struct Options {
    /// Where queues are kept.
    pub store: Store,
    /// The server's time.
    pub time: Time,
    /// The start of queues' URLs: `http://<host>:<port>`.
    pub base_url: Arc<str>,
    /// Who a caller is to policies.
    pub identify: Identify,
    /// Whether callers' own policies are evaluated: if not, a caller may do everything in its own account.
    pub evaluates_identity: bool,
}

/// The service's state. A cheap handle.
#[derive(Clone)]
pub struct Sqs(Arc<Inner>);

/// What every handler sees of [`Sqs`].
pub struct Inner {
    store: Store,
    time: Time,
    base_url: Arc<str>,
    queues: Registry,
    queue_numbers: Numbers,
    message_numbers: Numbers,
    receipts: Receipts,
    identify: Identify,
    evaluates_identity: bool,
    /// Rung when receipts wait to be saved.
    unsaved: Notify,
    /// Rung when something was deleted, or expires earlier than what was there.
    rubbish: Notify,
    /// Rung when a queue was made.
    made: watch::Sender<()>,
    /// Set when the server stops: receivers wait no longer.
    stop: watch::Sender<bool>,
}

impl std::ops::Deref for Sqs {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Sqs {
    /// Reads what is there and starts the background work. Needs a runtime.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn start(options: Options) -> Result<Self, store::Error> {
        let Options { store, time, base_url, identify, evaluates_identity } = options;
        let (queues, last_queue, last_message) = Registry::load(&store, time.now().0)?;
        let queue_numbers = Numbers::load(&store, "queues", last_queue)?;
        let message_numbers = Numbers::load(&store, "messages", last_message)?;
        let receipts = Receipts::new(store.server_secret());
        let (stop, _) = watch::channel(false);
        let sqs = Self(Arc::new(Inner {
            store,
            time,
            base_url,
            queues,
            queue_numbers,
            message_numbers,
            receipts,
            identify,
            evaluates_identity,
            unsaved: Notify::new(),
            rubbish: Notify::new(),
            made: watch::Sender::new(()),
            stop,
        }));
        janitor::spawn(&sqs);
        saver::spawn(&sqs);
        moves::resume(&sqs)?;
        Ok(sqs)
    }

    /// Receivers wait no longer: the server is about to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Saves what need not have been saved before: who received what. Messages are safe without it.
    pub async fn drain(&self) {
        self.stop();
        saver::save(self).await;
    }

    /// Forgets everything, after the store was emptied.
    pub fn reset(&self) {
        self.queues.clear();
        self.queue_numbers.forget_note();
        self.message_numbers.forget_note();
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn read<T>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, Refusal>) -> Result<T, Error> {
        Ok(self.store.read(read)?)
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Error> {
        let written = self.store.write_in(Domain::Queues, write).await;
        written.map_err(|refusal| {
            self.queue_numbers.forget_note();
            self.message_numbers.forget_note();
            refusal.into()
        })
    }

    /// Waits until the server stops.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // An error means that the sender is gone: then it is time, too.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
