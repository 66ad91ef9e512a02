//! One environment's log: its stream, the lines on their way out, and the tail of the invocation at hand.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Clock, FunctionVersion, LogLine, Scope, Timestamp, limits};
use tokio::sync::mpsc;
use uuid::Uuid;

/// What may wait for room in the channel before the function's output is left in its pipes.
const CONGESTED: Waiting = Waiting { lines: 512, bytes: 1024 * 1024 };
/// What may wait at all. What stands in the pipes when an invocation ends is read all the same, and END and REPORT come
/// after it: there is room for pipes full of the shortest lines.
const WAITING_MAX: Waiting = Waiting { lines: 128 * 1024, bytes: 8 * 1024 * 1024 };

/// The channel counts lines. A longer one counts as many of these, so that what is in it is bounded in bytes, too.
const LINE_BYTES_TYPICAL: usize = 1024;

/// How much of the channel must be free before a message may go in: one place for a line of ordinary length, all but
/// a tenth for one that is ten times longer. The lines of a full channel then have no more bytes together than so many
/// of ordinary length, or a few times that when their lengths are chosen to be the worst.
fn room_needed(message_bytes: usize, places: usize) -> usize {
    let weight = message_bytes.div_ceil(LINE_BYTES_TYPICAL).max(1);
    (places - places / weight + 1).min(places)
}

/// How much waits.
struct Waiting {
    lines: usize,
    bytes: usize,
}

pub(crate) struct Journal {
    scope: Scope,
    group: Arc<str>,
    stream: Arc<str>,
    clock: Arc<dyn Clock>,
    sender: mpsc::Sender<LogLine>,
    waiting: VecDeque<LogLine>,
    waiting_bytes: usize,
    dropped: u64,
    tail: Option<Vec<u8>>,
}

impl Journal {
    /// Names the stream `YYYY/MM/DD/[version]<32 hex>`.
    pub(crate) fn new(
        version: &FunctionVersion,
        clock: Arc<dyn Clock>,
        sender: mpsc::Sender<LogLine>,
    ) -> Self {
        let stream = format!("{}/[{}]{}", day(clock.now()), version.version, Uuid::new_v4().simple());
        Self {
            scope: version.scope.clone(),
            group: version.logging.group.as_str().into(),
            stream: stream.into(),
            clock,
            sender,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            dropped: 0,
            tail: None,
        }
    }

    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// Now, as the lines are stamped.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts to keep the end of the log.
    pub(crate) fn start_tail(&mut self) {
        self.tail = Some(Vec::with_capacity(1024));
    }

    /// The end of the log since [`Self::start_tail`].
    pub(crate) fn take_tail(&mut self) -> Option<Bytes> {
        let mut tail = self.tail.take()?;
        let excess = tail.len().saturating_sub(limits::LOG_TAIL_BYTES);
        tail.drain(..excess);
        Some(tail.into())
    }

    /// Sends a line off, or lets it wait for room. Never blocks.
    pub(crate) fn write(&mut self, message: String) {
        self.keep_tail(&message);
        let line = LogLine {
            scope: self.scope.clone(),
            group: Arc::clone(&self.group),
            stream: Arc::clone(&self.stream),
            at: self.clock.now(),
            message,
        };
        if self.sender.is_closed() {
            return;
        }
        let needed = room_needed(line.message.len(), self.sender.max_capacity());
        // What it does not use of the room it gives back.
        if self.waiting.is_empty()
            && let Ok(mut room) = self.sender.try_reserve_many(needed)
            && let Some(place) = room.next()
        {
            return place.send(line);
        }
        self.wait(line);
    }

    /// Whether so much waits that functions had better not print more.
    pub(crate) fn is_congested(&self) -> bool {
        self.exceeds(&CONGESTED)
    }

    /// Sends one waiting line when there is room; waits for ever when none waits.
    pub(crate) async fn send_waiting(&mut self) {
        let Some(first) = self.waiting.front() else { return std::future::pending().await };
        let needed = room_needed(first.message.len(), self.sender.max_capacity());
        // Cancelled between the two steps, nothing is lost: a permit that is not used is given back.
        match self.sender.reserve_many(needed).await {
            Ok(mut room) => {
                if let (Some(place), Some(line)) = (room.next(), self.waiting.pop_front()) {
                    self.waiting_bytes -= line.message.len();
                    place.send(line);
                }
            }
            Err(_) => {
                self.waiting.clear();
                self.waiting_bytes = 0;
            }
        }
    }

    fn wait(&mut self, line: LogLine) {
        if !self.exceeds(&WAITING_MAX) {
            self.waiting_bytes += line.message.len();
            self.waiting.push_back(line);
            return;
        }
        self.dropped += 1;
        if self.dropped.is_power_of_two() {
            tracing::warn!(stream = %self.stream, dropped = self.dropped, "log lines dropped: nobody takes them");
        }
    }

    fn exceeds(&self, bound: &Waiting) -> bool {
        self.waiting.len() >= bound.lines || self.waiting_bytes >= bound.bytes
    }

    fn keep_tail(&mut self, message: &str) {
        let Some(tail) = &mut self.tail else { return };
        tail.extend_from_slice(message.as_bytes());
        tail.push(b'\n');
        if tail.len() > 4 * limits::LOG_TAIL_BYTES {
            let excess = tail.len() - limits::LOG_TAIL_BYTES;
            tail.drain(..excess);
        }
    }
}

fn day(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.epoch_ms()).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(at).strftime("%Y/%m/%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp(1_700_000_000_000)
        }
    }

    fn journal(capacity: usize) -> (Journal, mpsc::Receiver<LogLine>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Journal::new(&crate::isolation::fake::version("f"), Arc::new(Fixed), sender), receiver)
    }

    #[test]
    fn a_stream_is_named_after_day_version_and_environment() {
        let (journal, _receiver) = journal(1);
        let (prefix, id) = journal.stream().split_at("2023/11/14/[$LATEST]".len());
        assert_eq!(prefix, "2023/11/14/[$LATEST]");
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }

    #[test]
    fn the_tail_is_the_last_4_kb() {
        let (mut journal, _receiver) = journal(1);
        journal.write("before".into());
        journal.start_tail();
        for number in 0..1000 {
            journal.write(format!("line {number} {}", "x".repeat(90)));
        }
        let tail = journal.take_tail().unwrap();
        assert_eq!(tail.len(), limits::LOG_TAIL_BYTES);
        assert!(tail.ends_with(b"x\n"));
        assert!(journal.take_tail().is_none());
    }

    #[test]
    fn a_message_needs_room_in_proportion_to_its_length() {
        for (message_bytes, places, needed) in [
            (0, 1000, 1),
            (LINE_BYTES_TYPICAL, 1000, 1),
            (10 * LINE_BYTES_TYPICAL, 1000, 901),
            (1000 * LINE_BYTES_TYPICAL, 1000, 1000),
            (usize::MAX, 1000, 1000),
            (10 * LINE_BYTES_TYPICAL, 1, 1),
        ] {
            assert_eq!(room_needed(message_bytes, places), needed, "{message_bytes} in {places}");
        }
    }

    #[tokio::test]
    async fn long_lines_fill_the_channel_with_no_more_bytes_than_ordinary_ones() {
        let places = 256;
        let (mut journal, mut receiver) = journal(places);
        for _ in 0..20 {
            journal.write("x".repeat(100 * LINE_BYTES_TYPICAL));
        }
        assert!(receiver.len() * 100 <= places, "{} lines", receiver.len());
        // Nothing is lost: they come as the ones before them go.
        for _ in 0..20 {
            let received = tokio::select! {
                biased;
                line = receiver.recv() => line,
                () = journal.send_waiting() => receiver.recv().await,
            };
            assert_eq!(received.unwrap().message.len(), 100 * LINE_BYTES_TYPICAL);
        }
    }

    #[tokio::test]
    async fn lines_that_find_no_room_wait_in_order() {
        let (mut journal, mut receiver) = journal(1);
        for message in ["a", "b", "c"] {
            journal.write(message.into());
        }
        for expected in ["a", "b", "c"] {
            let received = tokio::select! {
                biased;
                line = receiver.recv() => line,
                () = journal.send_waiting() => receiver.recv().await,
            };
            assert_eq!(received.unwrap().message, expected);
        }
    }
}
