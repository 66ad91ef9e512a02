//! Adds events to a stream: the one way in, for functions and for `PutLogEvents`.

use domain::Timestamp;
use store::{Raw, Tx};

use crate::record::{
    EVENTS, EventRecord, GROUP_BYTES, STREAM_EVENTS, STREAMS, STREAMS_BY_TIME, StreamRecord, take_numbers,
};

/// An event before it has a number.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'e> {
    /// When it happened.
    pub at: Timestamp,
    /// What it says.
    pub message: &'e str,
    /// What stands after it: the line break of a line, or nothing.
    pub ending: &'static str,
}

/// Where events go.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The group's number.
    pub group: u64,
    /// The stream's name.
    pub stream: &'p str,
}

/// Adds events, in order, and brings what is known of stream and group up to date: once for all of them.
/// Gives the number after the last.
pub fn append(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    mut stream: StreamRecord,
    ingested: Timestamp,
    events: &[NewEvent<'_>],
) -> Result<u64, store::Error> {
    let Place { group, stream: name } = place;
    let numbers = take_numbers(tx, events.len() as u64)?;
    let next = numbers.end;
    let mut bytes = 0;
    for (event, number) in events.iter().zip(numbers) {
        let record = EventRecord::new(stream.id, ingested, &[event.message, event.ending]);
        bytes += record.size() as u64;
        tx.put(&EVENTS, (group, event.at, number), &record)?;
        tx.put(&STREAM_EVENTS, (group, stream.id, event.at, number), &Raw::default())?;
    }
    let Some(last) = events.iter().map(|event| event.at).max() else { return Ok(next) };

    let old_key = stream.time_key(group, name);
    stream.last_event = stream.last_event.max(Some(last));
    stream.last_ingestion = stream.last_ingestion.max(Some(ingested));
    let new_key = stream.time_key(group, name);
    if new_key != old_key {
        tx.delete(&STREAMS_BY_TIME, &old_key)?;
        tx.put(&STREAMS_BY_TIME, &new_key, &Raw::default())?;
    }
    tx.put(&STREAMS, (group, name), &stream)?;
    let stored = tx.get(&GROUP_BYTES, &group)?.unwrap_or_default();
    tx.put(&GROUP_BYTES, &group, &(stored + bytes))?;
    Ok(next)
}
