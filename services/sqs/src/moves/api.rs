//! Starting, cancelling and listing move tasks.

use std::sync::Arc;

use store::Scan;
use uuid::Uuid;
use wire::{Context, Error};

use super::mover;
use super::record::{Handle, MoveRecord, Status};
use crate::Sqs;
use crate::address::Address;
use crate::error::{Refusal, invalid_parameter, invalid_value, resource_not_found};
use crate::limits::{MOVE_TASKS, MOVES_PER_SECOND};
use crate::queue::Queue;
use crate::record::MOVES;
use crate::shapes::{
    CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, ListMessageMoveTasksRequest,
    ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, StartMessageMoveTaskRequest,
    StartMessageMoveTaskResult,
};

/// `StartMessageMoveTask`
pub async fn start(
    sqs: Sqs,
    cx: Context,
    input: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult, Error> {
    let source = by_arn(&sqs, &cx, &input.source_arn, "SourceArn", "StartMessageMoveTask")?;
    if let Some(rate) = input.max_number_of_messages_per_second
        && !MOVES_PER_SECOND.contains(&i64::from(rate))
    {
        return Err(invalid_value(
            rate,
            "MaxNumberOfMessagesPerSecond",
            "Must be between 1 and 500, if provided.",
        ));
    }
    if let Some(destination) = &input.destination_arn {
        let destination = by_arn(&sqs, &cx, destination, "DestinationArn", "SendMessage")?;
        if destination.id == source.id {
            return Err(invalid_parameter("Source queue arn and destination queue arn cannot be the same."));
        }
        if destination.fifo != source.fifo {
            return Err(invalid_parameter("Source and destination queues must be of the same type."));
        }
    }
    if sqs.dead_letter_sources(&source.address).is_empty() {
        return Err(invalid_parameter("Source queue must be configured as a Dead Letter Queue."));
    }
    let to_move = {
        let mut index = source.index();
        index.tick(sqs.now().0);
        i64::try_from(index.counts().visible).unwrap_or(i64::MAX)
    };
    let record = MoveRecord {
        id: Uuid::new_v4().to_string(),
        source: source.arn(),
        destination: input.destination_arn,
        per_second: input.max_number_of_messages_per_second,
        status: Status::Running,
        moved: 0,
        to_move,
        failure: None,
        started: sqs.now(),
    };
    let handle = Handle { task_id: record.id.clone(), source_arn: record.source.clone() };
    let (id, inner) = (source.id, sqs.clone());
    let number = sqs
        .write(move |tx| {
            let tasks = tx.scan(&MOVES, &Scan::prefix((id,)))?;
            if tasks.iter().any(|(_, task)| task.status.is_active()) {
                return Err(Refusal::from(invalid_parameter(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a \
                     given time.",
                )));
            }
            let kept = usize::try_from(*MOVE_TASKS.end()).unwrap_or(usize::MAX);
            for (key, _) in tasks.iter().rev().skip(kept - 1) {
                tx.delete(&MOVES, key)?;
            }
            let number = inner.message_numbers.take(tx)?;
            tx.put(&MOVES, (id, number), &record)?;
            Ok(number)
        })
        .await?;
    mover::spawn(&sqs, source, number);
    Ok(StartMessageMoveTaskResult { task_handle: Some(handle.write()) })
}

/// `CancelMessageMoveTask`
pub async fn cancel(
    sqs: Sqs,
    cx: Context,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, Error> {
    let handle = Handle::read(&input.task_handle)
        .ok_or_else(|| invalid_parameter("Value for parameter TaskHandle is invalid."))?;
    let source = by_arn(&sqs, &cx, &handle.source_arn, "SourceArn", "CancelMessageMoveTask")?;
    let id = source.id;
    let moved = sqs
        .write(move |tx| {
            let tasks = tx.scan(&MOVES, &Scan::prefix((id,)))?;
            let found = tasks.into_iter().find(|(_, task)| task.id == handle.task_id);
            let (key, mut task) = found.ok_or_else(|| resource_not_found("Task does not exist."))?;
            if task.status != Status::Running {
                return Err(Refusal::from(invalid_parameter("Only active tasks can be cancelled.")));
            }
            task.status = Status::Cancelling;
            tx.put(&MOVES, key, &task)?;
            Ok(task.moved)
        })
        .await?;
    Ok(CancelMessageMoveTaskResult { approximate_number_of_messages_moved: Some(moved) })
}

/// `ListMessageMoveTasks`
pub async fn list(
    sqs: Sqs,
    cx: Context,
    input: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult, Error> {
    let source = by_arn(&sqs, &cx, &input.source_arn, "SourceArn", "ListMessageMoveTasks")?;
    let count = i64::from(input.max_results.unwrap_or(1));
    if !MOVE_TASKS.contains(&count) {
        return Err(invalid_value(count, "MaxResults", "Must be between 1 and 10, if provided."));
    }
    let limit = usize::try_from(count).unwrap_or(1);
    let tasks =
        sqs.read(|snapshot| Ok(snapshot.scan(&MOVES, &Scan::prefix((source.id,)).reverse().limit(limit))?))?;
    let results: Vec<_> = tasks.into_iter().map(|(_, task)| shown(task)).collect();
    Ok(ListMessageMoveTasksResult { results: Some(results) })
}

fn shown(task: MoveRecord) -> ListMessageMoveTasksResultEntry {
    let handle = Handle { task_id: task.id, source_arn: task.source.clone() };
    ListMessageMoveTasksResultEntry {
        // Only a task that can be cancelled has a handle.
        task_handle: (task.status == Status::Running).then(|| handle.write()),
        status: Some(task.status.as_str().to_owned()),
        source_arn: Some(task.source),
        destination_arn: task.destination,
        max_number_of_messages_per_second: task.per_second,
        approximate_number_of_messages_moved: Some(task.moved),
        approximate_number_of_messages_to_move: Some(task.to_move),
        failure_reason: task.failure,
        started_timestamp: Some(task.started.0),
    }
}

fn by_arn(sqs: &Sqs, cx: &Context, arn: &str, parameter: &str, action: &str) -> Result<Arc<Queue>, Error> {
    let missing = || {
        resource_not_found(format!(
            "The resource that you specified for the {parameter} parameter doesn't exist."
        ))
    };
    let address = Address::from_arn(arn).ok_or_else(missing)?;
    if address.scope.region != cx.scope.region {
        return Err(missing());
    }
    sqs.queue_of(cx, &address, action)
        .map_err(|error| if error.code == "QueueDoesNotExist" { missing() } else { error })
}
