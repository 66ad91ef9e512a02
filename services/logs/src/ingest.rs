//! Writes what functions print: whatever is queued becomes one transaction, and the next one gathers for a moment. So a
//! lone line is stored at once, and busy functions share transactions, which cost a processor more than their lines.
//!
//! Memory is bounded by one batch; beyond that the channel fills and the engine leaves output in the functions' pipes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use domain::{Clock, LogLine, Scope, Timestamp};
use store::{Domain, Store, Tx};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use crate::append::{NewEvent, Place, append};
use crate::janitor::Bell;
use crate::record::{EVENT_OVERHEAD_BYTES, GROUPS, STREAMS, create_group, create_stream};

/// Lines to a transaction.
const BATCH_LINES: usize = 4096;
/// Text to a transaction, in bytes; the line that exceeds it still goes along.
const BATCH_BYTES: usize = 4 << 20;
/// The longest message of one event, in bytes; a longer line becomes several.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const MESSAGE_BYTES_MAX: usize = (1 << 20) - EVENT_OVERHEAD_BYTES - LINE_BREAK.len();
/// From one transaction to the next, unless so much is queued that they would be full.
const GATHERING: Duration = Duration::from_millis(50);
/// Ends the messages of Lambda's events, as readers of CloudWatch Logs see them.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>
const LINE_BREAK: &str = "\n";
/// Between attempts, doubling up to the greatest.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Attempts once the server stops: a disk that stays full must not keep it for ever.
const ATTEMPTS_AT_THE_END: u32 = 6;
/// Attempts while the disk is full, for the first batch that meets it; later ones have one each. Lines that wait longer
/// fill the queue, and functions that print would wait for a disk.
const ATTEMPTS_ON_A_FULL_DISK: u32 = 5;

/// Starts the task. What it gives back is closed when the task has ended.
pub fn spawn(
    store: Store,
    time: Time,
    bell: Bell,
    discard: Arc<Notify>,
    finish: Arc<Notify>,
    lines: mpsc::Receiver<LogLine>,
) -> watch::Receiver<()> {
    let (alive, ended) = watch::channel(());
    let mut ingest = Ingest { store, time, bell, discard, finish, lines, dropped: 0 };
    tokio::spawn(async move {
        ingest.run().await;
        // In this order: who waits for the end may want to open the store again.
        drop(ingest);
        drop(alive);
    });
    ended
}

struct Ingest {
    store: Store,
    time: Time,
    bell: Bell,
    discard: Arc<Notify>,
    finish: Arc<Notify>,
    lines: mpsc::Receiver<LogLine>,
    /// Lines that were thrown away since the disk was found full.
    dropped: usize,
}

impl Ingest {
    async fn run(&mut self) {
        let mut not_before = Instant::now();
        loop {
            if !self.lines.is_closed() && self.lines.len() < BATCH_LINES {
                // Nobody need be woken for each line meanwhile.
                tokio::select! {
                    biased;
                    () = self.discard.notified() => {
                        while self.lines.try_recv().is_ok() {}
                    }
                    () = self.finish.notified() => {
                        self.lines.close();
                    }
                    () = tokio::time::sleep_until(not_before) => {}
                }
            }
            let first = tokio::select! {
                biased;
                () = self.discard.notified() => {
                    while self.lines.try_recv().is_ok() {}
                    continue;
                }
                () = self.finish.notified() => {
                    // What is queued is still received; whoever sends later is told.
                    self.lines.close();
                    continue;
                }
                first = self.lines.recv() => first,
            };
            let Some(first) = first else { return };
            let batch = self.gather(first);
            self.store_batch(batch.into()).await;
            not_before = Instant::now() + GATHERING;
        }
    }

    /// The first line and whatever else is there, without waiting.
    fn gather(&mut self, first: LogLine) -> Vec<LogLine> {
        let mut bytes = first.message.len();
        let mut batch = vec![first];
        while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Ok(line) = self.lines.try_recv() else { break };
            bytes += line.message.len();
            batch.push(line);
        }
        batch
    }

    async fn store_batch(&mut self, batch: Arc<[LogLine]>) {
        let mut pause = RETRY_MIN;
        let (mut attempts_at_the_end, mut attempts_on_a_full_disk) = (0, 0);
        loop {
            let error = match self.write(Arc::clone(&batch)).await {
                Ok(()) => return self.stored(),
                Err(error) => error,
            };
            attempts_on_a_full_disk += u32::from(matches!(error, store::Error::Full(_)));
            if attempts_on_a_full_disk >= if self.dropped > 0 { 1 } else { ATTEMPTS_ON_A_FULL_DISK } {
                return self.drop_lines(batch.len());
            }
            if is_about_the_batch(&error) && batch.len() > 1 {
                tracing::error!(%error, lines = batch.len(), "log lines are stored one by one, to find the one that fails");
                return self.store_each(&batch).await;
            }
            attempts_at_the_end += u32::from(self.lines.is_closed());
            let hopeless = is_about_the_batch(&error) || matches!(error, store::Error::Closed);
            if hopeless || attempts_at_the_end >= ATTEMPTS_AT_THE_END {
                let group = batch.first().map(|line| &*line.group);
                tracing::error!(%error, lines = batch.len(), group, "log lines are lost");
                return;
            }
            tracing::warn!(%error, lines = batch.len(), "log lines wait for the store");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    fn stored(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(dropped = self.dropped, "there is room again: log lines are stored");
            self.dropped = 0;
        }
    }

    fn drop_lines(&mut self, lines: usize) {
        if self.dropped == 0 {
            tracing::warn!("the disk that holds the data is full: log lines are dropped until there is room");
        }
        self.dropped += lines;
    }

    async fn store_each(&mut self, batch: &[LogLine]) {
        for line in batch {
            Box::pin(self.store_batch([line.clone()].into())).await;
        }
    }

    async fn write(&self, batch: Arc<[LogLine]>) -> Result<(), store::Error> {
        let now = self.time.now();
        let sizes = batch.iter().map(|line| line.message.len() + LINE_BREAK.len() + EVENT_OVERHEAD_BYTES);
        let bytes = sizes.sum::<usize>() as u64;
        let first_expiry = self.store.write_in(Domain::Logs, move |tx| write_lines(tx, &batch, now)).await?;
        self.bell.expects(first_expiry);
        self.bell.stored(bytes);
        Ok(())
    }
}

/// Errors that this batch would meet again, however long it waited.
fn is_about_the_batch(error: &store::Error) -> bool {
    use store::Error::{Malformed, OtherDomain, Panicked, Unstorable};
    matches!(error, Malformed { .. } | Unstorable { .. } | OtherDomain { .. } | Panicked(_))
}

/// Writes lines, making groups and streams that do not exist. Tells when the first of them expires.
fn write_lines(
    tx: &mut Tx<'_>,
    lines: &[LogLine],
    now: Timestamp,
) -> Result<Option<Timestamp>, store::Error> {
    let mut streams: BTreeMap<(&Scope, &str, &str), Vec<NewEvent<'_>>> = BTreeMap::new();
    for line in lines {
        let events = streams.entry((&line.scope, &line.group, &line.stream)).or_default();
        let at = Timestamp(line.at.0.max(0));
        events.extend(pieces(&line.message).map(|message| NewEvent { at, message, ending: "" }));
        if let Some(last) = events.last_mut() {
            last.ending = LINE_BREAK;
        }
    }
    let mut first_expiry = None;
    for ((scope, group_name, stream_name), events) in streams {
        let group = match tx.get(&GROUPS, (scope, group_name))? {
            Some(group) => group,
            None => create_group(tx, scope, group_name, now, BTreeMap::new())?,
        };
        let stream = match tx.get(&STREAMS, (group.id, stream_name))? {
            Some(stream) => stream,
            None => create_stream(tx, group.id, stream_name, now)?,
        };
        append(tx, Place { group: group.id, stream: stream_name }, stream, now, &events)?;
        if let (Some(retention), Some(first)) = (group.retention(), events.iter().map(|event| event.at).min())
        {
            let expiry = first.plus(retention);
            first_expiry = Some(first_expiry.map_or(expiry, |other: Timestamp| other.min(expiry)));
        }
    }
    Ok(first_expiry)
}

/// A message in pieces that fit an event, cut between characters.
fn pieces(message: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(message);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= MESSAGE_BYTES_MAX {
            rest = None;
            return Some(text);
        }
        let (piece, after) = text.split_at(text.floor_char_boundary(MESSAGE_BYTES_MAX));
        rest = Some(after);
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        let cut: Vec<&str> = pieces(&long).collect();
        assert!(cut.len() >= 2 && cut.iter().all(|piece| piece.len() <= MESSAGE_BYTES_MAX));
        assert_eq!(cut.concat(), long);
        assert_eq!(pieces("").collect::<Vec<_>>(), [""]);
    }
}
