//! `PutLogEvents`

use std::time::Duration;

use domain::Timestamp;
use wire::{Context, Error};

use crate::Logs;
use crate::append::{NewEvent, Place, append};
use crate::error::invalid_parameter;
use crate::record::{EVENT_OVERHEAD_BYTES, GroupRecord, before, group, stream};
use crate::shapes::{
    EntityRejectionErrorType, InputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedEntityInfo,
    RejectedLogEventsInfo,
};

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const BATCH_BYTES_MAX: usize = 1_048_576;
const EVENT_BYTES_MAX: usize = 1_048_576;
const SPAN_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const FUTURE_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// Adds events to a stream. Those that are too old or too new are left out, and the answer says which.
pub async fn put(logs: Logs, cx: Context, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Error> {
    check_batch(&input.log_events)?;
    // The entity is for Application Signals; the API has its own way to say that the events were taken and it was not.
    let rejected_entity_info = input
        .entity
        .as_ref()
        .map(|_| RejectedEntityInfo { error_type: EntityRejectionErrorType::UnsupportedLogGroupType });
    let bytes = sizes(&input.log_events).sum::<usize>() as u64;
    let now = logs.now();
    let (response, expiry) = logs
        .write(move |tx| {
            let group = group(tx, &cx.scope, &input.log_group_name)?;
            let record = stream(tx, group.id, &input.log_stream_name)?;
            let (accepted, rejected) = sift(&group, now, &input.log_events);
            check_span(accepted)?;
            let place = Place { group: group.id, stream: &input.log_stream_name };
            let events: Vec<NewEvent<'_>> = accepted
                .iter()
                .map(|event| NewEvent { at: Timestamp(event.timestamp), message: &event.message, ending: "" })
                .collect();
            let next = append(tx, place, record, now, &events)?;
            let expiry =
                group.retention().zip(events.first()).map(|(retention, first)| first.at.plus(retention));
            let response = PutLogEventsResponse {
                next_sequence_token: Some(sequence_token(next)),
                rejected_log_events_info: rejected,
                rejected_entity_info,
            };
            Ok((response, expiry))
        })
        .await?;
    logs.bell.expects(expiry);
    logs.bell.stored(bytes);
    Ok(response)
}

/// 56 digits. Callers may send them back, and CloudWatch Logs has long ignored them.
pub fn sequence_token(number: u64) -> String {
    format!("4{number:055}")
}

/// What makes the whole batch wrong, whatever group it is for. The number of events is the model's to limit.
fn check_batch(events: &[InputLogEvent]) -> Result<(), Error> {
    if let Some(size) = sizes(events).find(|size| *size > EVENT_BYTES_MAX) {
        return Err(invalid_parameter(format!(
            "Log event too large: {size} bytes exceeds limit of {EVENT_BYTES_MAX}"
        )));
    }
    let size: usize = sizes(events).sum();
    if size > BATCH_BYTES_MAX {
        return Err(invalid_parameter(format!(
            "Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid_parameter(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    Ok(())
}

/// What CloudWatch Logs counts for each.
fn sizes(events: &[InputLogEvent]) -> impl Iterator<Item = usize> {
    events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES)
}

fn check_span(events: &[InputLogEvent]) -> Result<(), Error> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    if Timestamp(last.timestamp) > Timestamp(first.timestamp).plus(SPAN_MAX) {
        return Err(invalid_parameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

/// Leaves out what is too old, expired or too new. Events are in order, so each of these is at one end.
fn sift<'e>(
    group: &GroupRecord,
    now: Timestamp,
    events: &'e [InputLogEvent],
) -> (&'e [InputLogEvent], Option<RejectedLogEventsInfo>) {
    let older_than = |moment: Timestamp| events.partition_point(|event| event.timestamp < moment.0);
    let too_old = older_than(before(now, AGE_MAX));
    let expired = older_than(group.cutoff(now));
    let too_new = events.partition_point(|event| event.timestamp <= now.plus(FUTURE_MAX).0);
    let accepted = &events[too_old.max(expired).min(too_new)..too_new];
    if accepted.len() == events.len() {
        return (accepted, None);
    }
    let index = |index: usize| i32::try_from(index).ok();
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: index(too_new).filter(|_| too_new < events.len()),
        too_old_log_event_end_index: index(too_old).filter(|_| too_old > 0),
        expired_log_event_end_index: index(expired).filter(|_| expired > 0),
    };
    (accepted, Some(rejected))
}
