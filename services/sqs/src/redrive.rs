//! Moves messages from queue to queue: those that were received too often, and those that a move task takes back.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use wire::Error;

use crate::Sqs;
use crate::deposit::{Arrivals, Deposit};
use crate::index::{Sequence, State};
use crate::message::Message;
use crate::queue::Queue;
use crate::record::MESSAGES;
use crate::withdraw::take_out;

impl Sqs {
    /// Moves messages that are leaving to the dead-letter queue, even if the caller does not wait. What cannot be moved
    /// stays; whether all were.
    pub(crate) async fn move_dead(
        &self,
        from: &Arc<Queue>,
        to: Arc<Queue>,
        sequences: Vec<Sequence>,
    ) -> bool {
        let (sqs, from) = (self.clone(), Arc::clone(from));
        let moving = tokio::spawn(async move {
            let moved =
                sqs.transfer(&from, &sequences, Some(from.arn()), move |_| Some(Arc::clone(&to))).await;
            if let Err(error) = &moved {
                tracing::warn!(queue = %from.address.name, %error, "messages stay: they could not be dead-lettered");
            }
            moved.is_ok_and(|moved| moved == sequences.len())
        });
        moving.await.unwrap_or(false)
    }

    /// Moves leaving messages, in one transaction, each to where `target` says; those for which it says nothing stay.
    /// Tells how many were moved.
    pub(crate) async fn transfer(
        &self,
        from: &Arc<Queue>,
        sequences: &[Sequence],
        source: Option<String>,
        target: impl Fn(&Message) -> Option<Arc<Queue>> + Send + 'static,
    ) -> Result<usize, Error> {
        let sent: Vec<(Sequence, Timestamp)> = {
            let index = from.index();
            let sent = |at: &Sequence| index.arrival(*at).map(|arrival| (*at, Timestamp(arrival.sent)));
            sequences.iter().filter_map(sent).collect()
        };
        let arrivals = Arrivals::default();
        let moved = {
            let (sqs, from, arrivals) = (self.clone(), Arc::clone(from), arrivals.clone());
            self.write(move |tx| {
                let mut moved = Vec::new();
                for (sequence, sent) in sent {
                    let Some(raw) = tx.get(&MESSAGES, (from.id, sequence))? else {
                        moved.push(sequence);
                        continue;
                    };
                    let Some(mut message) = Message::decode(&raw) else { continue };
                    let Some(to) = target(&message) else { continue };
                    message.envelope.source = source.clone();
                    if to.fifo {
                        // Nothing stands in its way that was sent before; but a receiver sees an id.
                        message.envelope.deduplication.get_or_insert_with(|| message.envelope.id.clone());
                    }
                    // A FIFO queue counts a message's age anew; a standard queue does not.
                    let sent = (!to.fifo).then_some(sent);
                    let deposit = Deposit { message, delay: Duration::ZERO, sent };
                    sqs.put_in(tx, &to, deposit, &arrivals)?;
                    take_out(tx, from.id, sequence)?;
                    moved.push(sequence);
                }
                Ok(moved)
            })
            .await
        };
        arrivals.end(moved.is_ok(), self.now());
        let mut index = from.index();
        let gone = moved.as_deref().unwrap_or_default();
        for sequence in sequences {
            if gone.contains(sequence) {
                index.remove(*sequence);
            } else {
                index.stay(*sequence, State::Visible);
            }
        }
        drop(index);
        from.ring(1);
        moved.map(|moved| moved.len())
    }
}
