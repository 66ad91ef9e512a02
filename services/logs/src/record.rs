//! What is stored, and in which order, so that every read is a walk over exactly what it returns.
//!
//! Names are resolved once, to numbers that are never used twice; events know only numbers. So a deleted group or stream
//! is invisible at once, and one created under the same name never sees the old events, however long their removal takes.
//!
//! An event is stored once, in its group's order of time ([`EVENTS`]), and indexed by its stream ([`STREAM_EVENTS`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Raw, Snapshot, Stored, Table, Tx, Value};

use crate::error::{Refusal, group_not_found, stream_not_found};

/// Groups by where they live and what they are called.
pub static GROUPS: Table<(Scope, String), GroupRecord> = Table::of(Domain::Logs, "logs.groups");
/// What a group's events take, by group. Apart from the group's record, because every batch changes it.
pub static GROUP_BYTES: Table<u64, u64> = Table::of(Domain::Logs, "logs.group_bytes");
/// Streams by group and name.
pub static STREAMS: Table<(u64, String), StreamRecord> = Table::of(Domain::Logs, "logs.streams");
/// Streams' names by group and stream. A stream without one is deleted.
pub static STREAM_NAMES: Table<(u64, u64), String> = Table::of(Domain::Logs, "logs.stream_names");
/// Streams by group, last event and name.
pub static STREAMS_BY_TIME: Table<(u64, Timestamp, String), Raw> =
    Table::of(Domain::Logs, "logs.streams_by_time");
/// Events by group, time and number.
pub static EVENTS: Table<(u64, Timestamp, u64), EventRecord> = Table::of(Domain::Logs, "logs.events");
/// The keys of [`EVENTS`] by group and stream.
pub static STREAM_EVENTS: Table<(u64, u64, Timestamp, u64), Raw> =
    Table::of(Domain::Logs, "logs.stream_events");
/// What the janitor has to remove: a group and [`WHOLE_GROUP`], or a group and a stream.
pub static TRASH: Table<(u64, u64), ()> = Table::of(Domain::Logs, "logs.trash");
/// The next number for a group, a stream or an event.
static NEXT_NUMBER: Table<String, u64> = Table::of(Domain::Logs, "logs.next_number");

/// In [`TRASH`], in place of a stream.
pub const WHOLE_GROUP: u64 = 0;

/// What CloudWatch Logs counts for each event beside its message.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
pub const EVENT_OVERHEAD_BYTES: usize = 26;

/// A group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Its number.
    pub id: u64,
    /// When it was created.
    pub created: Timestamp,
    /// How long events are kept; for ever if it does not say.
    pub retention_days: Option<u32>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl GroupRecord {
    /// How long events are kept.
    pub fn retention(&self) -> Option<Duration> {
        self.retention_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }

    /// Events before this moment have expired.
    pub fn cutoff(&self, now: Timestamp) -> Timestamp {
        match self.retention() {
            Some(retention) => before(now, retention),
            None => Timestamp(i64::MIN),
        }
    }
}

/// The moment `span` earlier.
pub fn before(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its number.
    pub id: u64,
    /// When it was created.
    pub created: Timestamp,
    /// The time of its latest event.
    pub last_event: Option<Timestamp>,
    /// When an event last arrived.
    pub last_ingestion: Option<Timestamp>,
}

impl StreamRecord {
    /// Where the stream stands in [`STREAMS_BY_TIME`]. Streams without events are the oldest.
    pub fn time_key(&self, group: u64, name: &str) -> (u64, Timestamp, String) {
        (group, self.last_event.unwrap_or_default(), name.to_owned())
    }
}

/// An event, in one piece: the stream's number, the time of arrival, the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord(Vec<u8>);

const MESSAGE_AT: usize = 16;

impl EventRecord {
    /// An event of a stream, its message in parts.
    pub fn new(stream: u64, ingested: Timestamp, message: &[&str]) -> Self {
        let length: usize = message.iter().map(|part| part.len()).sum();
        let mut bytes = Vec::with_capacity(MESSAGE_AT + length);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(&ingested.0.to_be_bytes());
        message.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        Self(bytes)
    }

    /// The stream's number.
    pub fn stream(&self) -> u64 {
        u64::from_be_bytes(self.word(0))
    }

    /// When it arrived.
    pub fn ingested(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.word(8)))
    }

    /// What it says.
    pub fn message(&self) -> &str {
        std::str::from_utf8(&self.0[MESSAGE_AT..]).expect("it was text when it was read or made")
    }

    /// What it counts for.
    pub fn size(&self) -> usize {
        self.0.len() - MESSAGE_AT + EVENT_OVERHEAD_BYTES
    }

    fn word(&self, at: usize) -> [u8; 8] {
        self.0[at..at + 8].try_into().expect("the length was checked when it was read or made")
    }
}

impl Value for EventRecord {
    fn to_stored(&self) -> Result<Stored<'_>, serde_json::Error> {
        Ok(Stored::Raw(&self.0))
    }

    fn from_stored(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let message =
            bytes.get(MESSAGE_AT..).ok_or_else(|| serde::de::Error::custom("too short for an event"))?;
        std::str::from_utf8(message).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.to_owned()))
    }
}

/// Takes numbers that nothing has had before. They rise: later events have greater ones.
pub fn take_numbers(tx: &mut Tx<'_>, count: u64) -> Result<Range<u64>, store::Error> {
    let first = tx.get(&NEXT_NUMBER, "next")?.unwrap_or(WHOLE_GROUP + 1);
    tx.put(&NEXT_NUMBER, "next", &(first + count))?;
    Ok(first..first + count)
}

/// The group with this name.
pub fn group(snapshot: &Snapshot<'_>, scope: &Scope, name: &str) -> Result<GroupRecord, Refusal> {
    Ok(snapshot.get(&GROUPS, (scope, name))?.ok_or_else(group_not_found)?)
}

/// The stream with this name.
pub fn stream(snapshot: &Snapshot<'_>, group: u64, name: &str) -> Result<StreamRecord, Refusal> {
    Ok(snapshot.get(&STREAMS, (group, name))?.ok_or_else(stream_not_found)?)
}

/// Makes a group. The caller has seen that there is none with the name.
pub fn create_group(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &str,
    created: Timestamp,
    tags: BTreeMap<String, String>,
) -> Result<GroupRecord, store::Error> {
    let id = take_numbers(tx, 1)?.start;
    let record = GroupRecord { id, created, retention_days: None, tags };
    tx.put(&GROUPS, (scope, name), &record)?;
    Ok(record)
}

/// Makes a stream. The caller has seen that there is none with the name.
pub fn create_stream(
    tx: &mut Tx<'_>,
    group: u64,
    name: &str,
    created: Timestamp,
) -> Result<StreamRecord, store::Error> {
    let id = take_numbers(tx, 1)?.start;
    let record = StreamRecord { id, created, last_event: None, last_ingestion: None };
    tx.put(&STREAMS, (group, name), &record)?;
    tx.put(&STREAM_NAMES, (group, id), &name.to_owned())?;
    tx.put(&STREAMS_BY_TIME, record.time_key(group, name), &Raw::default())?;
    Ok(record)
}
