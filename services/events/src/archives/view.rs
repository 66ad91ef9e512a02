//! Archives and replays as the API shows them.

use domain::{Scope, Timestamp};

use crate::arn::{archive_arn, bus_arn};
use crate::record::{ArchiveRecord, ReplayRecord, ReplayState};
use crate::shapes;

/// An archive is ready at once.
pub(super) fn state() -> shapes::ArchiveState {
    shapes::ArchiveState::Enabled
}

fn signed<T>(number: impl TryInto<T>) -> Option<T> {
    number.try_into().ok()
}

pub(super) fn archive(scope: &Scope, name: &str, record: &ArchiveRecord) -> shapes::Archive {
    shapes::Archive {
        archive_name: Some(name.to_owned()),
        event_source_arn: Some(bus_arn(scope, &record.bus)),
        state: Some(state()),
        retention_days: signed(record.retention_days),
        size_bytes: signed(record.bytes),
        event_count: signed(record.events),
        creation_time: Some(record.created),
        ..Default::default()
    }
}

pub(super) fn replay_state(state: ReplayState) -> shapes::ReplayState {
    match state {
        ReplayState::Running => shapes::ReplayState::Running,
        ReplayState::Completed => shapes::ReplayState::Completed,
        ReplayState::Cancelled => shapes::ReplayState::Cancelled,
    }
}

pub(super) fn replay(scope: &Scope, name: &str, record: &ReplayRecord) -> shapes::Replay {
    shapes::Replay {
        replay_name: Some(name.to_owned()),
        event_source_arn: Some(archive_arn(scope, &record.archive)),
        state: Some(replay_state(record.state)),
        event_start_time: Some(record.from),
        event_end_time: Some(record.until),
        event_last_replayed_time: record.last.as_ref().map(|(at, _)| Timestamp(*at)),
        replay_start_time: Some(record.started),
        replay_end_time: record.ended,
        ..Default::default()
    }
}
