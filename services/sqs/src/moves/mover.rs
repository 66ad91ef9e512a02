//! Performs a move task: a slice of messages after the other, each in one transaction, and the count of them.

use std::sync::Arc;
use std::time::Duration;

use store::Scan;

use super::record::{MoveRecord, Status};
use crate::Sqs;
use crate::message::Message;
use crate::queue::Queue;
use crate::record::MOVES;

/// Messages of one transaction, where nobody wants it slower.
const SLICE_MESSAGES: usize = 100;
/// The span that a rate is of.
const SECOND: Duration = Duration::from_secs(1);
/// After the store failed.
const RETRY: Duration = Duration::from_secs(5);

/// Goes on with the tasks that a stopped server left.
pub fn resume(sqs: &Sqs) -> Result<(), store::Error> {
    for queue in sqs.queues.all() {
        let tasks = sqs.store.read(|snapshot| snapshot.scan(&MOVES, &Scan::prefix((queue.id,))))?;
        for ((_, number), _) in tasks.into_iter().filter(|(_, task)| task.status.is_active()) {
            spawn(sqs, Arc::clone(&queue), number);
        }
    }
    Ok(())
}

/// Starts a task.
pub fn spawn(sqs: &Sqs, source: Arc<Queue>, number: u64) {
    let sqs = sqs.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = run(&sqs, &source, number) => {}
            () = sqs.stopped() => {}
        }
    });
}

async fn run(sqs: &Sqs, source: &Arc<Queue>, number: u64) {
    let mut due = None;
    loop {
        let task = match sqs.read(|snapshot| Ok(snapshot.get(&MOVES, (source.id, number))?)) {
            Ok(Some(task)) if task.status.is_active() && !source.is_gone() => task,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "a move task waits for the store");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let rate = task.per_second;
        let (moved, end) = step(sqs, source, task).await;
        let noted = note(sqs, source, number, moved, end.clone()).await;
        drop(due.take());
        match (noted, end) {
            (Err(error), _) => {
                tracing::warn!(%error, "a move task waits for the store");
                tokio::time::sleep(RETRY).await;
            }
            (Ok(()), Some(_)) => return,
            (Ok(()), None) if rate.is_some() => due = Some(sqs.time.sleep(SECOND).await),
            (Ok(()), None) => {}
        }
    }
}

/// How a task ends, and why if it failed.
type End = Option<(Status, Option<String>)>;

/// Moves a slice: how many messages went, and whether that was the end.
async fn step(sqs: &Sqs, source: &Arc<Queue>, task: MoveRecord) -> (i64, End) {
    if task.status == Status::Cancelling {
        return (0, Some((Status::Cancelled, None)));
    }
    let fixed = task.destination.as_deref().map(|arn| sqs.queue_by_arn(arn));
    if let Some(None) = fixed {
        return (0, Some((Status::Failed, Some("AWS.SimpleQueueService.NonExistentQueue".to_owned()))));
    }
    let slice = task.per_second.and_then(|rate| usize::try_from(rate).ok()).unwrap_or(SLICE_MESSAGES);
    let leaving = {
        let mut index = source.index();
        index.tick(sqs.now().0);
        index.lead_out(slice)
    };
    if leaving.is_empty() {
        return (0, Some((Status::Completed, None)));
    }
    let (inner, fixed) = (sqs.clone(), fixed.flatten());
    let target = move |message: &Message| match &fixed {
        Some(queue) => Some(Arc::clone(queue)),
        None => inner.queue_by_arn(message.envelope.source.as_deref()?),
    };
    // To its end, whatever becomes of this task: the messages are leaving.
    let transfer = {
        let (sqs, source, leaving) = (sqs.clone(), Arc::clone(source), leaving.clone());
        tokio::spawn(async move { sqs.transfer(&source, &leaving, None, target).await })
    };
    match transfer.await {
        Ok(Ok(moved)) => {
            let end = (moved < leaving.len())
                .then(|| (Status::Failed, Some("CouldNotDetermineMessageSource".to_owned())));
            (i64::try_from(moved).unwrap_or(i64::MAX), end)
        }
        Ok(Err(error)) => (0, Some((Status::Failed, Some(error.code.into_owned())))),
        Err(panic) => (0, Some((Status::Failed, Some(panic.to_string())))),
    }
}

async fn note(sqs: &Sqs, source: &Arc<Queue>, number: u64, moved: i64, end: End) -> Result<(), wire::Error> {
    let key = (source.id, number);
    sqs.write(move |tx| {
        if let Some(mut task) = tx.get(&MOVES, key)? {
            task.moved += moved;
            if let Some((status, failure)) = end {
                (task.status, task.failure) = (status, failure);
            }
            tx.put(&MOVES, key, &task)?;
        }
        Ok(())
    })
    .await
}

impl Sqs {
    fn queue_by_arn(&self, arn: &str) -> Option<Arc<Queue>> {
        self.queues.find(&crate::address::Address::from_arn(arn)?)
    }
}
