//! FIFO topics: an order for every message, and none twice within five minutes.

use std::ops::ControlFlow;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Domain, Scan, Table, Tx};
use uuid::Uuid;

use super::message::Message;
use crate::arn::TopicArn;
use crate::limits::DEDUPLICATION;
use crate::record::Fifo;

/// What was published lately, by topic and what tells it apart.
static SEEN: Table<(Scope, String, String), Seen> = Table::of(Domain::Events, "sns.deduplication");

/// The same by the moment at which it is forgotten.
static FORGET: Table<(Scope, String, i64, String), ()> =
    Table::of(Domain::Events, "sns.deduplication_by_time");

/// The last number that a topic gave to a message.
static SEQUENCES: Table<(Scope, String), u64> = Table::of(Domain::Events, "sns.sequences");

/// How many messages one publish forgets at most: more than it adds, so that the tables shrink.
const FORGOTTEN_AT_ONCE: usize = 16;

/// A message that was published before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The id it was given.
    pub(super) message_id: Uuid,
    /// The number it was given.
    pub(super) sequence: String,
    until: Timestamp,
}

/// A message's place in its topic.
pub(super) enum Place {
    /// It is new.
    New {
        /// `SequenceNumber`
        sequence: String,
        /// `MessageDeduplicationId` for the queues behind.
        deduplication: String,
    },
    /// It was published before: the caller is told so as if it were new.
    Again(Seen),
}

/// Gives a message its place.
pub(super) fn place(
    tx: &mut Tx<'_>,
    arn: &TopicArn,
    fifo: &Fifo,
    message: &Message,
    id: Uuid,
    now: Timestamp,
) -> Result<Place, store::Error> {
    forget_old(tx, arn, now)?;
    let deduplication = message.deduplication.clone().unwrap_or_else(|| of_content(message));
    let group = message.group.as_deref().unwrap_or_default();
    // A group has no tab in its name, so that two keys never meet.
    let told_apart_by =
        if fifo.throughput_per_group { format!("{group}\t{deduplication}") } else { deduplication.clone() };
    let key = (arn.scope.clone(), arn.name.clone(), told_apart_by.clone());
    if let Some(seen) = tx.get(&SEEN, key.clone())?.filter(|seen| seen.until > now) {
        return Ok(Place::Again(seen));
    }
    let number = tx.get(&SEQUENCES, arn.key())?.unwrap_or_default() + 1;
    tx.put(&SEQUENCES, arn.key(), &number)?;
    let sequence = sequence_number(number);
    let until = now.plus(DEDUPLICATION);
    tx.put(&SEEN, key, &Seen { message_id: id, sequence: sequence.clone(), until })?;
    tx.put(&FORGET, (arn.scope.clone(), arn.name.clone(), until.0, told_apart_by), &())?;
    Ok(Place::New { sequence, deduplication })
}

/// Removes what a deleted topic remembers. Its numbers go on, should it come back.
pub(crate) fn forget_topic(tx: &mut Tx<'_>, arn: &TopicArn) -> Result<(), store::Error> {
    for key in tx.keys(&SEEN, &Scan::prefix((&arn.scope, arn.name.as_str())))? {
        tx.delete(&SEEN, key)?;
    }
    for key in tx.keys(&FORGET, &Scan::prefix((&arn.scope, arn.name.as_str())))? {
        tx.delete(&FORGET, key)?;
    }
    Ok(())
}

fn forget_old(tx: &mut Tx<'_>, arn: &TopicArn, now: Timestamp) -> Result<(), store::Error> {
    let scan = Scan::prefix((&arn.scope, arn.name.as_str())).limit(FORGOTTEN_AT_ONCE);
    let mut old = Vec::new();
    tx.visit(&FORGET, &scan, |key, ()| {
        if key.2 > now.0 {
            return ControlFlow::Break(());
        }
        old.push(key);
        ControlFlow::Continue(())
    })?;
    for (scope, topic, until, told_apart_by) in old {
        let key = (scope.clone(), topic.clone(), told_apart_by.clone());
        // Published anew since, it is remembered for longer.
        if tx.get(&SEEN, key.clone())?.is_some_and(|seen| seen.until.0 <= until) {
            tx.delete(&SEEN, key)?;
        }
        tx.delete(&FORGET, (scope, topic, until, told_apart_by))?;
    }
    Ok(())
}

/// Twenty digits that grow, as AWS's are.
fn sequence_number(number: u64) -> String {
    const FIRST: u64 = 10_000_000_000_000_000_000;
    (FIRST + number).to_string()
}

fn of_content(message: &Message) -> String {
    let digest = Sha256::digest(message.body.whole().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
