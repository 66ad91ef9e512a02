//! The one loop: fetch, filter, batch, hand over. What follows is [`crate::work`]'s.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Clock as _, Timestamp};
use lambda::MappingRecord;
use pattern::Pattern;
use sqs::{QueueHandle, ReceivedMessage};
use tokio::sync::{Notify, mpsc, watch};

use crate::Shared;
use crate::batch::{Batch, Item};
use crate::filter::is_wanted;
use crate::scaling::{Bounds, Scaling};
use crate::sqs_record::record;
use crate::work::{self, Work};

/// How long a receive waits. The queue wakes it; so this only has to be long.
const WAIT: Duration = Duration::from_secs(24 * 3600);
/// Messages of one receive: their bodies are read together.
const RECEIVE_MAX: usize = 100;
/// What a function's role must be allowed to do with the queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions>
const ACTIONS: [&str; 3] = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
/// How soon a role is looked at again that lacked a permission.
const PERMISSION_RETRY: Duration = Duration::from_secs(10);

/// What a poller and its batches share.
pub struct Load {
    under_way: AtomicU32,
    scaling: Mutex<Scaling>,
    /// Rung when a batch ends.
    pub freed: Notify,
}

impl Load {
    /// Decides, and keeps the decision.
    pub fn scaling(&self) -> MutexGuard<'_, Scaling> {
        self.scaling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch ended.
    pub fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        self.freed.notify_one();
    }
}

/// Messages in hand that no function has yet. Should the poller end, others may have them at once.
struct Held {
    queue: QueueHandle,
    batch: Batch,
    /// What did not fit into the batch, and is the beginning of the next.
    left: Vec<Item>,
}

impl Held {
    /// Puts items into the batch as long as they fit; the rest is left.
    fn fill(&mut self, items: Vec<Item>, now: Timestamp) -> ControlFlow<()> {
        for item in items {
            if self.left.is_empty() && self.batch.has_room_for(&item) {
                self.batch.push(item, now);
            } else {
                self.left.push(item);
            }
        }
        if self.left.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for item in self.batch.items.iter().chain(&self.left) {
            self.queue.change_visibility(&item.message, Duration::ZERO);
        }
    }
}

/// Within which limits a mapping's batches are under way.
fn bounds(mapping: &MappingRecord) -> Bounds {
    Bounds::of(mapping.settings.maximum_concurrency, mapping.settings.provisioned_pollers)
}

/// Polls for a mapping until it is gone.
pub async fn run(
    shared: Arc<Shared>,
    mut told: watch::Receiver<Arc<MappingRecord>>,
    alive: mpsc::Sender<()>,
) {
    let load = Arc::new(Load {
        under_way: AtomicU32::new(0),
        scaling: Mutex::new(Scaling::new(bounds(&told.borrow()))),
        freed: Notify::new(),
    });
    loop {
        let mapping = Arc::clone(&told.borrow_and_update());
        {
            let mut scaling = load.scaling();
            *scaling = scaling.within(bounds(&mapping));
        }
        let poller = Poller {
            shared: &shared,
            patterns: mapping.settings.patterns(),
            mapping,
            load: &load,
            alive: &alive,
        };
        // A change or the end is heard at once, except between receiving and handing over.
        tokio::select! {
            () = poller.poll() => {}
            change = told.changed() => if change.is_err() { return },
        }
    }
}

struct Poller<'p> {
    shared: &'p Arc<Shared>,
    mapping: Arc<MappingRecord>,
    patterns: Vec<Pattern>,
    load: &'p Arc<Load>,
    alive: &'p mpsc::Sender<()>,
}

impl Poller<'_> {
    /// Polls until something is wrong, and then until it may be right again.
    async fn poll(&self) {
        // Before the look, so that a queue that is made between the look and the wait is not missed.
        let mut queues_changed = self.shared.sqs.queues_changed();
        let Some(queue) = self.shared.sqs.queue(&self.mapping.source_arn) else {
            self.say("PROBLEM: The queue does not exist.").await;
            let _ = queues_changed.changed().await;
            return;
        };
        if let Some(action) = self.missing_permission() {
            self.say(&format!("PROBLEM: The function's execution role may not call {action} on SQS.")).await;
            tokio::time::sleep(PERMISSION_RETRY).await;
            return;
        }
        let mut held = Held { queue: queue.clone(), batch: Batch::default(), left: Vec::new() };
        loop {
            self.capacity().await;
            match self.gather(&queue, &mut held).await {
                Ok(()) => self.hand_over(&queue, std::mem::take(&mut held.batch)),
                Err(error) if error.code == "QueueDoesNotExist" => return,
                Err(error) => {
                    tracing::warn!(queue = %self.mapping.source_arn, %error, "a queue cannot be polled");
                    tokio::time::sleep(PERMISSION_RETRY).await;
                }
            }
        }
    }

    /// What the function's role may not do that it must.
    fn missing_permission(&self) -> Option<&'static str> {
        let role = self.shared.lambda.mapping_role(&self.mapping)?;
        let function = self.mapping.function_arn();
        ACTIONS.into_iter().find(|action| {
            !(self.shared.role_may)(&role, &function, &format!("sqs:{action}"), &self.mapping.source_arn)
        })
    }

    /// Waits until another batch may be under way.
    async fn capacity(&self) {
        loop {
            let freed = self.load.freed.notified();
            let under_way = self.load.under_way.load(Ordering::Acquire);
            let next_look = {
                let mut scaling = self.load.scaling();
                *scaling = scaling.looked(under_way, self.shared.time.now());
                if under_way < scaling.limit() {
                    return;
                }
                scaling.next_look_ms()
            };
            let grown = async {
                match next_look {
                    Some(span) => tokio::time::sleep(Duration::from_millis(span)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = freed => {}
                () = grown => {}
            }
        }
    }

    /// Fetches until the batch is full or its window is over.
    async fn gather(&self, queue: &QueueHandle, held: &mut Held) -> Result<(), wire::Error> {
        let settings = &self.mapping.settings;
        let batch_size = usize::try_from(settings.batch_size).unwrap_or(usize::MAX);
        let window = Duration::from_secs(settings.batching_window_seconds.unwrap_or_default().into());
        let left = std::mem::take(&mut held.left);
        if held.fill(left, self.shared.time.now()).is_break() {
            return Ok(());
        }
        loop {
            let room = held.batch.room(batch_size);
            if room == 0 || (window.is_zero() && !held.batch.is_empty()) {
                return Ok(());
            }
            // Nobody else must get them while the batch waits for more.
            let visibility = (!window.is_zero()).then(|| queue.visibility_timeout() + window);
            let receiving = queue.receive(room.min(RECEIVE_MAX), visibility, WAIT);
            let received = match held.batch.since {
                None => receiving.await?,
                Some(since) => tokio::select! {
                    received = receiving => received?,
                    _due = self.shared.time.sleep_until(since.plus(window)) => return Ok(()),
                },
            };
            self.shared.lambda.count_mapped(&self.mapping, "PolledEventCount", received.len());
            let (wanted, unwanted) = self.filter(queue, received);
            self.shared.lambda.count_mapped(&self.mapping, "FilteredOutEventCount", unwanted.len());
            let filled = held.fill(wanted, self.shared.time.now());
            if !unwanted.is_empty() {
                queue.delete(&unwanted).await?;
            }
            if filled.is_break() {
                return Ok(());
            }
        }
    }

    /// What the function wants to see, and what it does not.
    fn filter(
        &self,
        queue: &QueueHandle,
        messages: Vec<ReceivedMessage>,
    ) -> (Vec<Item>, Vec<ReceivedMessage>) {
        let arn = queue.arn();
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for message in messages {
            let record = record(&message, &arn);
            if is_wanted(&record, "body", &self.patterns) {
                wanted.push(Item { message, record });
            } else {
                unwanted.push(message);
            }
        }
        (wanted, unwanted)
    }

    fn hand_over(&self, queue: &QueueHandle, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        if self.mapping.settings.batching_window_seconds.unwrap_or_default() > 0 {
            // The function has the queue's timeout from now on, however long the batch waited.
            for item in &batch.items {
                queue.change_visibility(&item.message, queue.visibility_timeout());
            }
        }
        self.load.under_way.fetch_add(1, Ordering::AcqRel);
        let work = Work {
            shared: Arc::clone(self.shared),
            mapping: Arc::clone(&self.mapping),
            load: Arc::clone(self.load),
            queue: queue.clone(),
            // From here on, virtual time waits for the function.
            busy: Some(self.shared.time.busy()),
            _alive: self.alive.clone(),
        };
        tokio::spawn(work::run(work, batch));
    }

    async fn say(&self, result: &str) {
        work::say(self.shared, &self.mapping, result).await;
    }
}
