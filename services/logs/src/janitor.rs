//! Removes what was deleted and what has expired, in slices, so that no writer waits long for it.
//!
//! Nothing is looked at before there is something to do: deletions ring the bell, and the first event to expire sets the
//! alarm. What a killed server left is found at the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clock::{Due, Time};
use domain::{Clock, Scope, Timestamp};
use store::{Domain, Scan, Store, Tx};
use tokio::sync::watch;

use crate::record::{
    EVENTS, GROUP_BYTES, GROUPS, STREAM_EVENTS, STREAM_NAMES, STREAMS, STREAMS_BY_TIME, TRASH, WHOLE_GROUP,
};

/// Rows removed in one transaction: some ten milliseconds.
pub const SLICE_ROWS: usize = 2_000;
/// Expired events are no longer shown at once; they are removed when this much time of them can go together.
const EXPIRY_GRAIN_MS: i64 = 10 * 60 * 1000;
/// Events of two groups that are closer than this are of one age when room is made.
const AGE_GRAIN_MS: i64 = 60 * 1000;
/// After the store failed.
const RETRY: Duration = Duration::from_secs(5);
/// No event expires.
const NEVER: i64 = i64::MAX;

/// Wakes the janitor.
#[derive(Clone)]
pub struct Bell {
    rings: watch::Sender<Ring>,
    /// When the first event expires, as far as the janitor knows, in milliseconds.
    alarm: Arc<AtomicI64>,
    /// Bytes that may still be stored before the janitor must make room.
    room: Arc<AtomicI64>,
}

/// What the bell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// There may be something to do.
    Look,
    /// The server stops.
    Stop,
}

impl Bell {
    /// A bell, and what hears it.
    pub fn new() -> (Self, watch::Receiver<Ring>) {
        let (rings, heard) = watch::channel(Ring::Look);
        (Self { rings, alarm: Arc::new(AtomicI64::new(NEVER)), room: Arc::default() }, heard)
    }

    /// Something was deleted, or a retention changed.
    pub fn ring(&self) {
        self.rings.send_if_modified(|ring| *ring == Ring::Look);
    }

    /// Something was stored that expires at this moment.
    pub fn expects(&self, expiry: Option<Timestamp>) {
        if expiry.is_some_and(|expiry| expiry.0 < self.alarm.load(Ordering::SeqCst)) {
            self.ring();
        }
    }

    /// So many bytes were stored.
    pub fn stored(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if self.room.fetch_sub(bytes, Ordering::SeqCst) <= bytes {
            self.ring();
        }
    }

    /// When the first event expires, if any does.
    #[cfg(test)]
    pub fn set_alarm(&self, alarm: Option<Timestamp>) {
        self.alarm.store(alarm.map_or(NEVER, |alarm| alarm.0), Ordering::SeqCst);
    }

    /// The server stops.
    pub fn stop(&self) {
        self.rings.send_replace(Ring::Stop);
    }
}

/// Starts the task. What it gives back is closed when the task has ended.
pub fn spawn(
    store: Store,
    time: Time,
    quota_bytes: Option<u64>,
    bell: Bell,
    rings: watch::Receiver<Ring>,
) -> watch::Receiver<()> {
    let (alive, ended) = watch::channel(());
    // Not the whole bell: one of its own would keep the janitor from seeing that everyone else has gone.
    let Bell { alarm, room, .. } = bell;
    let mut janitor = Janitor { store, time, quota_bytes, alarm, room, rings };
    tokio::spawn(async move {
        janitor.run().await;
        // In this order: who waits for the end may want to open the store again.
        drop(janitor);
        drop(alive);
    });
    ended
}

struct Janitor {
    store: Store,
    time: Time,
    /// How much log groups may hold, of all accounts.
    quota_bytes: Option<u64>,
    alarm: Arc<AtomicI64>,
    room: Arc<AtomicI64>,
    rings: watch::Receiver<Ring>,
}

impl Janitor {
    async fn run(&mut self) {
        // Virtual time does not go on before what was due is done.
        let mut due = None;
        loop {
            self.rings.mark_unchanged();
            let worked = self.work().await;
            drop(due.take());
            if self.is_stopped() {
                return;
            }
            let next = match worked {
                Ok(next) => next,
                Err(store::Error::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "removing deleted or expired log events failed; it is tried again");
                    // The machine's time: a disk gets no emptier because virtual time goes on.
                    let _ = tokio::time::timeout(RETRY, self.rings.changed()).await;
                    continue;
                }
            };
            due = match self.wait(next).await {
                Ok(due) => due,
                Err(_) => return,
            };
        }
    }

    /// Until the bell rings, or that moment comes.
    async fn wait(&mut self, next: Option<Timestamp>) -> Result<Option<Due>, watch::error::RecvError> {
        let Some(next) = next else { return self.rings.changed().await.map(|()| None) };
        tokio::select! {
            rung = self.rings.changed() => rung.map(|()| None),
            due = self.time.sleep_until(next) => Ok(Some(due)),
        }
    }

    /// Everybody who could ring has gone, or the server stops.
    fn is_stopped(&self) -> bool {
        self.rings.has_changed().is_err() || *self.rings.borrow() == Ring::Stop
    }

    /// Does all there is to do now. Tells when there will be something again.
    async fn work(&self) -> Result<Option<Timestamp>, store::Error> {
        while let Some((group, stream)) = self.next_trash()? {
            let slice = move |tx: &mut Tx<'_>| match stream {
                // A store that was emptied meanwhile begins its numbers again: this one may be somebody else's now.
                _ if !tx.contains(&TRASH, (group, stream))? => Ok(false),
                WHOLE_GROUP => remove_group_slice(tx, group),
                stream => remove_stream_slice(tx, group, stream),
            };
            self.in_slices(slice).await?;
            if self.is_stopped() {
                return Ok(None);
            }
        }
        // From here on writers ring for whatever expires, until the alarm is set again: nothing falls between.
        self.alarm.store(NEVER, Ordering::SeqCst);
        let now = self.time.now();
        let mut alarm = NEVER;
        for (key, group, retention) in self.groups_with_retention()? {
            self.in_slices(move |tx| remove_expired_slice(tx, &key, now)).await?;
            if let Some(first) = self.first_event(group)? {
                alarm = alarm.min(first.plus(retention).0);
            }
            if self.is_stopped() {
                return Ok(None);
            }
        }
        self.alarm.store(alarm, Ordering::SeqCst);
        self.make_room().await?;
        Ok(end_of_grain(alarm))
    }

    async fn in_slices(
        &self,
        slice: impl Fn(&mut Tx<'_>) -> Result<bool, store::Error> + Clone + Send + 'static,
    ) -> Result<(), store::Error> {
        while self.store.write_in(Domain::Logs, slice.clone()).await? && !self.is_stopped() {}
        Ok(())
    }

    /// Removes the oldest events, if there are more than the quota lets there be.
    async fn make_room(&self) -> Result<(), store::Error> {
        let Some(quota) = self.quota_bytes else {
            self.room.store(i64::MAX, Ordering::SeqCst);
            return Ok(());
        };
        // From here on every writer rings, until it is known how much room there is: nothing falls between.
        self.room.store(0, Ordering::SeqCst);
        let stored = self.stored_bytes()?;
        let mut left = stored;
        // Some more than need be, so that it is not done for each line.
        let wanted = quota - quota / 10;
        while stored > quota && left > wanted && !self.is_stopped() {
            let Some((group, until)) = self.oldest()? else { break };
            let excess = left - wanted;
            let slice = move |tx: &mut Tx<'_>| remove_before(tx, group, until, excess);
            let (_, bytes) = self.store.write_in(Domain::Logs, slice).await?;
            left = left.saturating_sub(bytes);
        }
        if left < stored {
            tracing::warn!(
                removed_bytes = stored - left,
                quota_bytes = quota,
                "log storage is full: the oldest log events are removed (--log-storage sets how much there may be)"
            );
        }
        let room = i64::try_from(quota.saturating_sub(left)).unwrap_or(i64::MAX);
        self.room.store(room, Ordering::SeqCst);
        Ok(())
    }

    fn stored_bytes(&self) -> Result<u64, store::Error> {
        let groups = self.store.read(|snapshot| snapshot.scan(&GROUP_BYTES, &Scan::all()))?;
        Ok(groups.iter().map(|(_, bytes)| bytes).sum())
    }

    /// The group with the oldest event, and the moment before which its events go before others' do.
    fn oldest(&self) -> Result<Option<(u64, Timestamp)>, store::Error> {
        let groups = self.store.read(|snapshot| snapshot.keys(&GROUP_BYTES, &Scan::all()))?;
        let mut oldest: Option<(u64, Timestamp)> = None;
        let mut next = i64::MAX;
        for group in groups {
            let Some(first) = self.first_event(group)? else { continue };
            match oldest {
                Some((_, other)) if other <= first => next = next.min(first.0),
                _ => next = next.min(oldest.replace((group, first)).map_or(i64::MAX, |(_, other)| other.0)),
            }
        }
        Ok(oldest.map(|(group, _)| (group, Timestamp(next.saturating_add(AGE_GRAIN_MS)))))
    }

    fn next_trash(&self) -> Result<Option<(u64, u64)>, store::Error> {
        let found = self.store.read(|snapshot| snapshot.keys(&TRASH, &Scan::all().limit(1)))?;
        Ok(found.first().copied())
    }

    fn groups_with_retention(&self) -> Result<Vec<(GroupKey, u64, Duration)>, store::Error> {
        let groups = self.store.read(|snapshot| snapshot.scan(&GROUPS, &Scan::all()))?;
        Ok(groups.into_iter().filter_map(|(key, group)| Some((key, group.id, group.retention()?))).collect())
    }

    fn first_event(&self, group: u64) -> Result<Option<Timestamp>, store::Error> {
        let keys = self.store.read(|snapshot| snapshot.keys(&EVENTS, &Scan::prefix((group,)).limit(1)))?;
        Ok(keys.first().map(|(_, at, _)| *at))
    }
}

type GroupKey = (Scope, String);

/// When to look again: once the grain ends that the alarm lies in.
fn end_of_grain(alarm: i64) -> Option<Timestamp> {
    if alarm == NEVER {
        return None;
    }
    Some(Timestamp((alarm.div_euclid(EXPIRY_GRAIN_MS) + 1).saturating_mul(EXPIRY_GRAIN_MS)))
}

/// Removes some of a deleted group. Tells whether there is more.
fn remove_group_slice(tx: &mut Tx<'_>, group: u64) -> Result<bool, store::Error> {
    let mut left = SLICE_ROWS;
    left -= tx.delete_range(&EVENTS, &Scan::prefix((group,)).limit(left))?;
    left -= tx.delete_range(&STREAM_EVENTS, &Scan::prefix((group,)).limit(left))?;
    left -= tx.delete_range(&STREAMS, &Scan::prefix((group,)).limit(left))?;
    left -= tx.delete_range(&STREAM_NAMES, &Scan::prefix((group,)).limit(left))?;
    left -= tx.delete_range(&STREAMS_BY_TIME, &Scan::prefix((group,)).limit(left))?;
    if left == 0 {
        return Ok(true);
    }
    tx.delete(&GROUP_BYTES, &group)?;
    tx.delete_prefix(&TRASH, (group,))?;
    Ok(false)
}

/// Removes some of a deleted stream. Tells whether there is more.
fn remove_stream_slice(tx: &mut Tx<'_>, group: u64, stream: u64) -> Result<bool, store::Error> {
    let keys = tx.keys(&STREAM_EVENTS, &Scan::prefix((group, stream)).limit(SLICE_ROWS))?;
    let mut bytes = 0;
    for (_, _, at, number) in &keys {
        let key = (group, *at, *number);
        if let Some(event) = tx.get(&EVENTS, key)? {
            bytes += event.size() as u64;
            tx.delete(&EVENTS, key)?;
        }
        tx.delete(&STREAM_EVENTS, (group, stream, *at, *number))?;
    }
    subtract(tx, group, bytes)?;
    if keys.len() == SLICE_ROWS {
        return Ok(true);
    }
    tx.delete(&TRASH, (group, stream))?;
    Ok(false)
}

/// Removes some of a group's expired events, by the retention that it has now. Tells whether there is more.
fn remove_expired_slice(tx: &mut Tx<'_>, key: &GroupKey, now: Timestamp) -> Result<bool, store::Error> {
    let Some(record) = tx.get(&GROUPS, key)? else { return Ok(false) };
    let (rows, _) = remove_before(tx, record.id, record.cutoff(now), u64::MAX)?;
    Ok(rows == SLICE_ROWS)
}

/// Removes some of a group's events from before a moment, until so many bytes are gone. Tells how many events and bytes.
fn remove_before(
    tx: &mut Tx<'_>,
    group: u64,
    moment: Timestamp,
    enough: u64,
) -> Result<(usize, u64), store::Error> {
    let keys = tx.keys(&EVENTS, &Scan::prefix((group,)).below((group, moment)).limit(SLICE_ROWS))?;
    let (mut rows, mut bytes) = (0, 0);
    for key in &keys {
        let Some(event) = tx.get(&EVENTS, key)? else { continue };
        tx.delete(&EVENTS, key)?;
        tx.delete(&STREAM_EVENTS, (group, event.stream(), key.1, key.2))?;
        bytes += event.size() as u64;
        rows += 1;
        if bytes >= enough {
            break;
        }
    }
    subtract(tx, group, bytes)?;
    Ok((rows, bytes))
}

fn subtract(tx: &mut Tx<'_>, group: u64, bytes: u64) -> Result<(), store::Error> {
    if let Some(stored) = tx.get(&GROUP_BYTES, &group)? {
        tx.put(&GROUP_BYTES, &group, &stored.saturating_sub(bytes))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_janitor_sleeps_to_the_end_of_the_alarms_grain_or_for_ever() {
        let at = |grains: i64| Some(Timestamp(grains * EXPIRY_GRAIN_MS));
        assert_eq!(end_of_grain(NEVER), None);
        assert_eq!(end_of_grain(10 * EXPIRY_GRAIN_MS), at(11));
        assert_eq!(end_of_grain(11 * EXPIRY_GRAIN_MS - 1), at(11));
        assert_eq!(end_of_grain(11 * EXPIRY_GRAIN_MS), at(12));
    }
}
