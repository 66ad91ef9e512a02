//! What waits for a subscriber: bounded, never waited for by those who fill it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::entry::{Content, Entry};
use super::subscription::{Buffering, Kind, Subscription};

/// Batches that may wait while one is on its way; what comes beyond them is dropped.
const BATCHES_WAITING: usize = 2;
/// AWS's words for it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-logsDropped>
const DROPPED: &str = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";

/// Entries on their way to one subscriber.
pub(crate) struct Queue {
    subscription: Subscription,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    objects: VecDeque<String>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// What waits goes out now.
    flush: bool,
    /// A batch is on its way.
    sending: bool,
    dropped: Dropped,
}

#[derive(Clone, Copy, Default)]
struct Dropped {
    records: usize,
    bytes: usize,
    at: Timestamp,
}

impl Queue {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self { subscription, waiting: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry that the subscriber asked for, or counts it as lost.
    pub(crate) fn push(&self, entry: &Entry) {
        let Subscription { kinds, schema, buffering, .. } = &self.subscription;
        if !kinds.contains(&entry.kind()) {
            return;
        }
        entry.render(*schema, |object| {
            let mut waiting = self.lock();
            let full = waiting.objects.len() >= BATCHES_WAITING * buffering.items_max
                || waiting.bytes + object.len() > BATCHES_WAITING * buffering.bytes_max;
            // What is larger than everything may be is taken when nothing else waits.
            if full && !waiting.objects.is_empty() {
                waiting.count_lost(1, object.len(), entry.at);
                return;
            }
            waiting.bytes += object.len();
            waiting.objects.push_back(object);
            let first = waiting.since.is_none();
            waiting.since.get_or_insert_with(Instant::now);
            if first || waiting.is_full(buffering) {
                self.changed.notify_one();
            }
        });
    }

    /// Lets what waits go out now.
    pub(crate) fn flush(&self) {
        let mut waiting = self.lock();
        if !waiting.objects.is_empty() {
            waiting.flush = true;
            self.changed.notify_one();
        }
    }

    /// Whether everything has been delivered.
    pub(crate) fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.objects.is_empty() && !waiting.sending
    }

    /// The next batch, when it is large or old enough.
    pub(super) async fn batch(&self) -> Vec<String> {
        loop {
            let deadline = {
                let mut waiting = self.lock();
                let buffering = &self.subscription.buffering;
                match waiting.since {
                    Some(since) => {
                        let due = since + buffering.timeout;
                        if waiting.flush || waiting.is_full(buffering) || due <= Instant::now() {
                            return waiting.take(&self.subscription);
                        }
                        Some(due)
                    }
                    None => None,
                }
            };
            match deadline {
                Some(deadline) => drop(timeout_at(deadline, self.changed.notified()).await),
                None => self.changed.notified().await,
            }
        }
    }

    /// The batch arrived.
    pub(super) fn delivered(&self) {
        self.lock().sending = false;
    }

    /// The batch did not arrive, and will not.
    pub(super) fn lost(&self, batch: &[String], at: Timestamp) {
        let mut waiting = self.lock();
        waiting.sending = false;
        waiting.count_lost(batch.len(), batch.iter().map(String::len).sum(), at);
    }
}

impl Waiting {
    fn is_full(&self, buffering: &Buffering) -> bool {
        self.objects.len() >= buffering.items_max || self.bytes >= buffering.bytes_max
    }

    fn count_lost(&mut self, records: usize, bytes: usize, at: Timestamp) {
        self.dropped.records += records;
        self.dropped.bytes += bytes;
        self.dropped.at = at;
    }

    fn take(&mut self, subscription: &Subscription) -> Vec<String> {
        let Buffering { items_max, bytes_max, .. } = subscription.buffering;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(object) = self.objects.front() {
            let fits = batch.len() < items_max && bytes + object.len() <= bytes_max;
            if !fits && !batch.is_empty() {
                break;
            }
            bytes += object.len();
            batch.extend(self.objects.pop_front());
        }
        self.bytes -= bytes;
        self.sending = true;
        if self.objects.is_empty() {
            (self.since, self.flush) = (None, false);
            let Dropped { records, bytes, at } = std::mem::take(&mut self.dropped);
            if records > 0 && subscription.kinds.contains(&Kind::Platform) {
                let record = json!({ "droppedBytes": bytes, "droppedRecords": records, "reason": DROPPED });
                let content = Content::Platform("platform.logsDropped", record);
                Entry { at, content }.render(subscription.schema, |object| batch.push(object));
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::entry::Origin;
    use super::super::subscription::Api;
    use super::*;

    fn queue() -> Queue {
        let body = br#"{"schemaVersion":"2022-07-01","types":["platform","function"],
            "destination":{"protocol":"TCP","port":80}}"#;
        Queue::new(Subscription::parse(Api::Telemetry, body).unwrap())
    }

    fn line(text: &str) -> Entry {
        let content = Content::Line(Origin::Function { json: false }, text.to_owned());
        Entry { at: Timestamp(0), content }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_goes_out_when_it_is_old_enough() {
        let queue = queue();
        let start = Instant::now();
        queue.push(&line("one"));
        queue.push(&Entry {
            at: Timestamp(0),
            content: Content::Line(Origin::Extension, "not asked for".into()),
        });
        tokio::time::advance(Duration::from_millis(400)).await;
        queue.push(&line("two"));
        assert_eq!(queue.batch().await.len(), 2);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert!(!queue.is_idle());
        queue.delivered();
        assert!(queue.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_goes_out_at_once_when_it_is_full_or_flushed() {
        let queue = queue();
        let start = Instant::now();
        for _ in 0..1001 {
            queue.push(&line("x"));
        }
        assert_eq!(queue.batch().await.len(), 1000);
        queue.flush();
        assert_eq!(queue.batch().await.len(), 1);
        assert_eq!(start.elapsed(), Duration::ZERO);
        let long = "x".repeat(200_000);
        queue.push(&line(&long));
        queue.push(&line(&long));
        assert_eq!(queue.batch().await.len(), 1, "no batch is larger than it may be");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_counted_and_told() {
        let queue = queue();
        for _ in 0..2003 {
            queue.push(&line("x"));
        }
        let (first, second) = (queue.batch().await, queue.batch().await);
        assert_eq!((first.len(), second.len()), (1000, 1001));
        let told = second.last().unwrap();
        assert!(told.contains(r#""type":"platform.logsDropped""#), "{told}");
        assert!(told.contains(r#""droppedRecords":3"#), "{told}");
        queue.delivered();
        queue.lost(&first, Timestamp(0));
        queue.push(&line("x"));
        assert!(queue.batch().await[1].contains(r#""droppedRecords":1000"#));
    }
}
