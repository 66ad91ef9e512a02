//! `StartReplay`, `CancelReplay`, `DescribeReplay`, `ListReplays`

use store::Scan;
use wire::{Context, Error};

use super::view;
use crate::arn::{BusRef, archive_arn, bus_arn, replay_arn, split};
use crate::error::{Refusal, exists, not_found, validation};
use crate::record::{ARCHIVES, REPLAYS, ReplayRecord, ReplayState};
use crate::{Events, page, shapes};

/// Sends the events of an archive once more.
pub(crate) async fn start(
    events: Events,
    cx: Context,
    input: shapes::StartReplayRequest,
) -> Result<shapes::StartReplayResponse, Error> {
    let archive = split(&input.event_source_arn).and_then(|(_, resource)| resource.strip_prefix("archive/"));
    let archive = archive.ok_or_else(|| validation("Parameter EventSourceArn is not valid."))?.to_owned();
    if input.event_end_time <= input.event_start_time {
        return Err(validation(
            "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
        ));
    }
    let bus = BusRef::parse(&cx.scope, Some(&input.destination.arn))?;
    let now = events.now();
    let record = ReplayRecord {
        description: input.description,
        archive,
        bus: bus.name.clone(),
        rules: input.destination.filter_arns.unwrap_or_default(),
        from: input.event_start_time,
        until: input.event_end_time,
        state: ReplayState::Running,
        started: now,
        ended: None,
        last: None,
    };
    let name = input.replay_name;
    let (scope, replay) = (cx.scope.clone(), name.clone());
    events
        .write(move |tx| {
            let found = tx.get(&ARCHIVES, (&cx.scope, record.archive.as_str()))?;
            let archive = found.ok_or_else(|| not_found(format!("Archive {} does not exist.", record.archive)))?;
            if archive.bus != record.bus {
                return Err(validation(
                    "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
                )
                .into());
            }
            if !tx.insert(&REPLAYS, (&cx.scope, name.as_str()), &record)? {
                return Err(exists(format!("Replay {name} already exists.")).into());
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    events.replay_soon(scope.clone(), replay.clone());
    Ok(shapes::StartReplayResponse {
        replay_arn: Some(replay_arn(&scope, &replay)),
        state: Some(shapes::ReplayState::Starting),
        replay_start_time: Some(now),
        ..Default::default()
    })
}

/// Stops a replay.
pub(crate) async fn cancel(
    events: Events,
    cx: Context,
    input: shapes::CancelReplayRequest,
) -> Result<shapes::CancelReplayResponse, Error> {
    let name = input.replay_name;
    let arn = replay_arn(&cx.scope, &name);
    let now = events.now();
    events
        .write(move |tx| {
            let key = (&cx.scope, name.as_str());
            let mut record = tx.get(&REPLAYS, key)?.ok_or_else(|| no_replay(&name))?;
            if record.state != ReplayState::Running {
                return Err(Error::new(
                    "IllegalStatusException",
                    format!("Replay {name} is not in a valid state for this operation."),
                )
                .into());
            }
            record.state = ReplayState::Cancelled;
            record.ended = Some(now);
            tx.put(&REPLAYS, key, &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::CancelReplayResponse {
        replay_arn: Some(arn),
        state: Some(shapes::ReplayState::Cancelling),
        ..Default::default()
    })
}

/// What is known of a replay.
pub(crate) async fn describe(
    events: Events,
    cx: Context,
    input: shapes::DescribeReplayRequest,
) -> Result<shapes::DescribeReplayResponse, Error> {
    let name = input.replay_name;
    let record = events.read(|snapshot| {
        let found = snapshot.get(&REPLAYS, (&cx.scope, name.as_str()))?;
        Ok(found.ok_or_else(|| no_replay(&name))?)
    })?;
    let shown = view::replay(&cx.scope, &name, &record);
    Ok(shapes::DescribeReplayResponse {
        replay_arn: Some(replay_arn(&cx.scope, &name)),
        replay_name: shown.replay_name,
        description: record.description,
        state: shown.state,
        event_source_arn: shown.event_source_arn,
        destination: Some(shapes::ReplayDestination {
            arn: bus_arn(&cx.scope, &record.bus),
            filter_arns: Some(record.rules),
        }),
        event_start_time: shown.event_start_time,
        event_end_time: shown.event_end_time,
        event_last_replayed_time: shown.event_last_replayed_time,
        replay_start_time: shown.replay_start_time,
        replay_end_time: shown.replay_end_time,
        ..Default::default()
    })
}

/// A page of replays.
pub(crate) async fn list(
    events: Events,
    cx: Context,
    input: shapes::ListReplaysRequest,
) -> Result<shapes::ListReplaysResponse, Error> {
    let all = events.read(|snapshot| Ok(snapshot.scan(&REPLAYS, &Scan::prefix((&cx.scope,)))?))?;
    let prefix = input.name_prefix.unwrap_or_default();
    let wanted = all.into_iter().filter(|((_, name), record)| {
        let of_source =
            input.event_source_arn.as_ref().is_none_or(|arn| *arn == archive_arn(&cx.scope, &record.archive));
        let in_state = input.state.as_ref().is_none_or(|state| *state == view::replay_state(record.state));
        name.starts_with(&prefix) && of_source && in_state
    });
    let shown = wanted.map(|((scope, name), record)| (name.clone(), view::replay(&scope, &name, &record)));
    let (replays, next_token) = page::page(shown, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListReplaysResponse { replays: Some(replays), next_token })
}

fn no_replay(name: &str) -> Error {
    not_found(format!("Replay {name} does not exist."))
}
