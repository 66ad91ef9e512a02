//! Receiving: whose turn it is, now or as soon as somebody's turn comes.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use tokio::time::Instant;
use wire::Error;

use crate::Sqs;
use crate::error::queue_does_not_exist;
use crate::index::{Lease, Want};
use crate::limits;
use crate::message::Message;
use crate::queue::{Attempt, Queue};
use crate::record::MESSAGES;

/// What a receiver asks for.
#[derive(Clone, Debug)]
pub struct Receive {
    /// At most so many messages.
    pub max: usize,
    /// How long others do not see them; the queue's own span if it is not said.
    pub visibility: Option<Duration>,
    /// How long to wait for the first, in real time.
    pub wait: Duration,
    /// The name of the attempt, of a FIFO queue.
    pub attempt: Option<String>,
}

/// A message with its receipt.
#[derive(Clone, Debug)]
pub struct Leased {
    /// Its place and what became of it.
    pub lease: Lease,
    /// What it says.
    pub message: Message,
}

impl Sqs {
    /// Receives messages; waits for the first if none is there. Nothing if none came.
    pub(crate) async fn receive(&self, queue: &Arc<Queue>, asked: &Receive) -> Result<Vec<Leased>, Error> {
        let deadline = Instant::now() + asked.wait;
        // Whoever goes wakes another, who then knows when the next message becomes visible.
        let _baton = Baton(queue);
        let stopped = self.stopped();
        tokio::pin!(stopped);
        // Virtual time must not pass the moment at which something became visible before it was looked at.
        let mut due = None;
        loop {
            // Before the look, so that no ring between the look and the wait is lost.
            let ring = queue.bell.notified();
            tokio::pin!(ring);
            ring.as_mut().enable();
            if queue.is_gone() {
                return Err(queue_does_not_exist());
            }
            let got = self.receive_now(queue, asked).await?;
            if !got.is_empty() || asked.wait.is_zero() {
                return Ok(got);
            }
            drop(due.take());
            let next_due = queue.index().next_due();
            let becomes_visible = async {
                match next_due {
                    Some(moment) => self.time.sleep_until(Timestamp(moment)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut ring => {}
                woken = becomes_visible => due = Some(woken),
                () = tokio::time::sleep_until(deadline) => return Ok(Vec::new()),
                () = &mut stopped => return Ok(Vec::new()),
            }
        }
    }

    /// Receives what is there.
    async fn receive_now(&self, queue: &Arc<Queue>, asked: &Receive) -> Result<Vec<Leased>, Error> {
        let current = queue.current();
        let target = current.settings.redrive.as_ref().and_then(|redrive| {
            self.queues.find(&redrive.target).map(|target| (target, redrive.receives_max))
        });
        loop {
            let now = self.now();
            let visibility = asked.visibility.unwrap_or(current.settings.visibility);
            if let Some(leases) = asked.attempt.as_deref().and_then(|name| repeat(queue, name, now)) {
                return self.read_messages(queue, leases).await;
            }
            self.expire(queue, now);
            let taken = {
                let mut index = queue.index();
                index.tick(now.0);
                let want = Want {
                    max: asked.max,
                    until: now.plus(visibility).0,
                    receives_max: target.as_ref().map(|(_, max)| *max),
                    in_flight_max: limits::IN_FLIGHT_MAX,
                };
                index.take(now.0, want)
            };
            if let (false, Some((target, _))) = (taken.dead.is_empty(), &target) {
                let moved = self.move_dead(queue, Arc::clone(target), taken.dead).await;
                if moved && taken.leases.is_empty() {
                    // What was behind them may be received now.
                    continue;
                }
            }
            if taken.leases.is_empty() {
                // Those who wait are told nothing, as AWS does.
                if taken.over_limit && !queue.fifo && asked.wait.is_zero() {
                    return Err(Error::new("OverLimit", "Too many messages in flight.").with_status(403));
                }
                return Ok(Vec::new());
            }
            self.receipts_wait(queue);
            if let Some(name) = &asked.attempt {
                let attempt = Attempt { at: now, leases: taken.leases.clone() };
                queue.attempts().insert(name.clone(), attempt);
            }
            let messages = self.read_messages(queue, taken.leases).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Reads what the messages say. Those that were deleted meanwhile are left out.
    async fn read_messages(&self, queue: &Arc<Queue>, leases: Vec<Lease>) -> Result<Vec<Leased>, Error> {
        self.read(|snapshot| {
            let mut messages = Vec::with_capacity(leases.len());
            for lease in leases {
                let Some(raw) = snapshot.get(&MESSAGES, (queue.id, lease.sequence))? else { continue };
                match Message::decode(&raw) {
                    Some(message) => messages.push(Leased { lease, message }),
                    None => tracing::error!(
                        queue = %queue.address.name, sequence = lease.sequence, "a message is damaged"
                    ),
                }
            }
            Ok(messages)
        })
    }
}

/// Of those who wait, at least one knows the queue's next moment: what was received meanwhile has changed it.
struct Baton<'q>(&'q Queue);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        if self.0.index().next_due().is_some() {
            self.0.ring(1);
        }
    }
}

/// What an attempt of this name got in the last five minutes, if all of it is still as it was then.
fn repeat(queue: &Queue, name: &str, now: Timestamp) -> Option<Vec<Lease>> {
    let mut attempts = queue.attempts();
    attempts.retain(|_, attempt| now < attempt.at.plus(limits::RECEIVE_ATTEMPT));
    let leases = &attempts.get(name)?.leases;
    let mut index = queue.index();
    index.tick(now.0);
    let holds = |lease: &Lease| index.holds(lease.sequence, lease.received.count);
    leases.iter().all(holds).then(|| leases.clone())
}
