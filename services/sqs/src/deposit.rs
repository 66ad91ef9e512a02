//! The one way into a queue: messages are numbered, stored and made receivable.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use store::{Scan, Tx};
use wire::Error;

use crate::Sqs;
use crate::error::{Refusal, queue_does_not_exist};
use crate::index::{Arrival, Sequence};
use crate::limits;
use crate::message::Message;
use crate::queue::Queue;
use crate::record::{DEDUPLICATION, DEDUPLICATION_ENDS, MESSAGES, STATES, Sent, encode_state};

/// Old deduplication records that each send takes along.
const FORGOTTEN_PER_SEND: usize = 4;

/// A message to be put into a queue.
#[derive(Debug)]
pub struct Deposit {
    /// The message.
    pub message: Message,
    /// How long it is not received at first.
    pub delay: Duration,
    /// When it was sent, if not now: a message that was moved keeps its age.
    pub sent: Option<Timestamp>,
}

/// A message that is in a queue, or was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub message_id: String,
    /// Its place.
    pub sequence: Sequence,
}

/// Messages that a transaction put into indexes, to be made receivable once it is committed, or taken out again.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Vec<Arrived>>>);

type Arrived = (Arc<Queue>, Sequence);

impl Arrivals {
    fn note(&self, queue: &Arc<Queue>, sequence: Sequence) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(queue), sequence));
    }

    /// Ends the arrival of each, one way or the other.
    pub fn end(&self, committed: bool, now: Timestamp) {
        let arrived = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (queue, sequence) in arrived {
            if committed {
                queue.index().settle(sequence, now.0);
                queue.ring(1);
            } else {
                queue.index().remove(sequence);
            }
        }
    }
}

impl Sqs {
    /// Puts messages into a queue, all or none. Durable when it returns. Runs to its end even if the caller does not
    /// wait.
    pub(crate) async fn deposit(
        &self,
        queue: &Arc<Queue>,
        deposits: Vec<Deposit>,
    ) -> Result<Vec<Accepted>, Error> {
        let arrivals = Arrivals::default();
        let accepted = {
            let (sqs, queue, arrivals) = (self.clone(), Arc::clone(queue), arrivals.clone());
            self.write(move |tx| {
                let deposits = deposits.into_iter();
                deposits
                    .map(|deposit| sqs.send_in(tx, &queue, deposit, &arrivals))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await
        };
        arrivals.end(accepted.is_ok(), self.now());
        accepted
    }

    /// The part of it that happens in a transaction.
    fn send_in(
        &self,
        tx: &mut Tx<'_>,
        queue: &Arc<Queue>,
        deposit: Deposit,
        arrivals: &Arrivals,
    ) -> Result<Accepted, Refusal> {
        let Some(key) = deduplication_key(queue, &deposit.message) else {
            return self.put_in(tx, queue, deposit, arrivals);
        };
        let now = self.now();
        forget_old(tx, queue, now)?;
        let before = tx.get(&DEDUPLICATION, (queue.id, key.as_str()))?;
        if let Some(Sent { message_id, sequence, .. }) =
            before.filter(|before| now < before.at.plus(limits::DEDUPLICATION))
        {
            return Ok(Accepted { message_id, sequence });
        }
        let accepted = self.put_in(tx, queue, deposit, arrivals)?;
        let Accepted { message_id, sequence } = accepted.clone();
        tx.put(&DEDUPLICATION, (queue.id, key.as_str()), &Sent { at: now, message_id, sequence })?;
        tx.put(&DEDUPLICATION_ENDS, (queue.id, now.plus(limits::DEDUPLICATION), key), &())?;
        Ok(accepted)
    }

    /// Stores a message that was not there before, or came from another queue.
    pub(crate) fn put_in(
        &self,
        tx: &mut Tx<'_>,
        queue: &Arc<Queue>,
        deposit: Deposit,
        arrivals: &Arrivals,
    ) -> Result<Accepted, Refusal> {
        if queue.is_gone() {
            return Err(queue_does_not_exist().into());
        }
        let now = self.now();
        let Deposit { message, delay, sent } = deposit;
        let sequence = self.message_numbers.take(tx)?;
        let sent = sent.unwrap_or(now).0;
        let visible_at = if delay.is_zero() { sent } else { now.plus(delay).0 };
        let arrival = Arrival { sent, visible_at, group: message.envelope.group.as_deref(), received: None };
        tx.put(&MESSAGES, (queue.id, sequence), &message.encode())?;
        tx.put(&STATES, (queue.id, sequence), &encode_state(&arrival))?;
        queue.index().reserve(sequence, arrival);
        arrivals.note(queue, sequence);
        Ok(Accepted { message_id: message.envelope.id, sequence })
    }
}

/// What must not come twice within five minutes.
fn deduplication_key(queue: &Queue, message: &Message) -> Option<String> {
    let id = message.envelope.deduplication.as_deref().filter(|_| queue.fifo)?;
    let by_group = queue.current().settings.deduplicates_by_group;
    let group = message.envelope.group.as_deref().filter(|_| by_group).unwrap_or_default();
    // A group cannot hold a line break, so that no two pairs are one key.
    Some(format!("{group}\n{id}"))
}

fn forget_old(tx: &mut Tx<'_>, queue: &Queue, now: Timestamp) -> Result<(), store::Error> {
    let due = Scan::prefix((queue.id,)).below((queue.id, now)).limit(FORGOTTEN_PER_SEND);
    for (_, ends, key) in tx.keys(&DEDUPLICATION_ENDS, &due)? {
        tx.delete(&DEDUPLICATION_ENDS, (queue.id, ends, key.as_str()))?;
        // It may have been sent again since.
        let record = tx.get(&DEDUPLICATION, (queue.id, key.as_str()))?;
        if record.is_some_and(|record| record.at.plus(limits::DEDUPLICATION) <= now) {
            tx.delete(&DEDUPLICATION, (queue.id, key.as_str()))?;
        }
    }
    Ok(())
}
