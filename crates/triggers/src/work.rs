//! One batch, from its hand-over to its end: the function runs, and what it is done with is deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock::Due;
use domain::Clock as _;
use lambda::{MappedError, MappingRecord};
use sqs::QueueHandle;
use tokio::sync::mpsc;

use crate::Shared;
use crate::batch::Batch;
use crate::poller::Load;
use crate::sqs_record::event;
use crate::verdict::{Verdict, of_answer};

/// Between attempts at a function that has no room, doubling up to the longest. In real time: room is made in real time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a batch needs on its way.
pub struct Work {
    pub shared: Arc<Shared>,
    pub mapping: Arc<MappingRecord>,
    pub load: Arc<Load>,
    pub queue: QueueHandle,
    pub busy: Option<Due>,
    pub _alive: mpsc::Sender<()>,
}

/// Works on a batch to its end.
pub async fn run(mut work: Work, batch: Batch) {
    let result = match attempt(&mut work, &batch).await {
        Ended::Answered(verdict) => work.settle(&batch, verdict).await,
        Ended::Failed(why) => {
            work.count("FailedInvokeEventCount", batch.items.len());
            // The messages become visible again when their timeout is over, as on AWS.
            if !work.mapping.settings.reports_item_failures {
                let mut scaling = work.load.scaling();
                *scaling = scaling.failed();
            }
            why
        }
        Ended::GivenBack => {
            for item in &batch.items {
                work.queue.change_visibility(&item.message, Duration::ZERO);
            }
            work.load.end();
            return;
        }
    };
    work.load.end();
    say(&work.shared, &work.mapping, &result).await;
}

/// How the attempts at a batch ended.
enum Ended {
    /// The function answered without an error.
    Answered(Verdict),
    /// It did not, or could not be asked for as long as the messages were ours.
    Failed(String),
    /// The server stops: somebody else may have the messages.
    GivenBack,
}

async fn attempt(work: &mut Work, batch: &Batch) -> Ended {
    let payload = Bytes::from(event(batch.items.iter().map(|item| &*item.record)));
    let trace = batch.items.iter().find_map(|item| item.message.system.get("AWSTraceHeader").cloned());
    let ours_until = work.shared.time.now().plus(work.queue.visibility_timeout());
    let mut pause = PAUSE_MIN;
    work.count("InvokedEventCount", batch.items.len());
    loop {
        let why = match work.shared.lambda.run_mapped(&work.mapping, payload.clone(), trace.clone()).await {
            Ok(outcome) if outcome.function_error.is_none() => {
                let ids: BTreeSet<&str> =
                    batch.items.iter().map(|item| item.message.message_id.as_str()).collect();
                let reports = work.mapping.settings.reports_item_failures;
                return Ended::Answered(of_answer(reports, &outcome.payload, &ids));
            }
            Ok(_) => return Ended::Failed("PROBLEM: Function call failed".to_owned()),
            Err(MappedError::Gone) => return Ended::Failed("PROBLEM: Function not found".to_owned()),
            // The messages come back until their queue gives them up.
            Err(MappedError::RecursiveLoop) => {
                return Ended::Failed("PROBLEM: Recursive loop detected".to_owned());
            }
            Err(MappedError::ShuttingDown) => return Ended::GivenBack,
            Err(MappedError::Throttled) => "PROBLEM: Function call was throttled".to_owned(),
            Err(MappedError::Unavailable(why)) => format!("PROBLEM: {why}"),
        };
        say(&work.shared, &work.mapping, &why).await;
        // Virtual time may go on while there is no room.
        work.busy = None;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
        if work.shared.time.now() >= ours_until {
            return Ended::Failed(why);
        }
        work.busy = Some(work.shared.time.busy());
    }
}

impl Work {
    fn count(&self, metric: &'static str, events: usize) {
        self.shared.lambda.count_mapped(&self.mapping, metric, events);
    }

    /// Deletes what the function is done with.
    async fn settle(&self, batch: &Batch, verdict: Verdict) -> String {
        let (failed, result) = match verdict {
            Verdict::Done => (BTreeSet::new(), "OK"),
            Verdict::DoneBut(failed) => (failed, "OK"),
            Verdict::Failed => {
                return "PROBLEM: The function's batch item failures cannot be read".to_owned();
            }
        };
        let messages = batch.items.iter().map(|item| &item.message);
        let done: Vec<_> = messages.filter(|message| !failed.contains(&message.message_id)).collect();
        let count = done.len();
        match self.queue.delete(done).await {
            Ok(()) => {
                self.count("DeletedEventCount", count);
                result.to_owned()
            }
            Err(error) => {
                tracing::warn!(queue = %self.mapping.source_arn, %error, "messages that are done with will come again");
                format!("PROBLEM: {error}")
            }
        }
    }
}

/// Keeps what came of a batch as the mapping's `LastProcessingResult`.
pub async fn say(shared: &Shared, mapping: &MappingRecord, result: &str) {
    if let Err(error) = shared.lambda.mapping_processed(mapping.scope.clone(), mapping.id, result).await {
        tracing::warn!(%error, "the result of a batch is not kept");
    }
}
