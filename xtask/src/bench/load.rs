//! Load from one thread: however many connections are busy, what is measured is not the load generator's own threads.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::answer::{self, Answer};

/// Nothing that is measured takes this long: beyond it something hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Read of an answer at a time.
const READ_BYTES: usize = 64 * 1024;

/// What is sent, and when.
pub enum Plan<'r> {
    /// Closed loop: each connection sends again as soon as it has its answer, for a span of time.
    For { request: &'r [u8], span: Duration },
    /// Closed loop: so many requests in all.
    Count { request: &'r [u8], count: usize },
    /// Each of these once, as connections are free.
    Once(&'r [Vec<u8>]),
    /// Open loop: one every so often, whatever became of those before. Late ones are timed from when they were due.
    Every { request: &'r [u8], interval: Duration, count: usize },
}

/// What came of it.
pub struct Run {
    pub times: Vec<Duration>,
    pub took: Duration,
}

impl Run {
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }
}

/// Carries a plan out over so many kept-alive connections.
pub fn drive(address: SocketAddr, connections: usize, plan: &Plan<'_>) -> anyhow::Result<Run> {
    let mut lines = (0..connections).map(|_| Line::open(address)).collect::<anyhow::Result<Vec<_>>>()?;
    let started = Instant::now();
    let mut schedule = Schedule::new(plan, started);
    let mut times = Vec::new();
    loop {
        for line in lines.iter_mut().filter(|line| line.request.is_none()) {
            let Some((request, due)) = schedule.next(Instant::now()) else { break };
            line.send(request, due)?;
        }
        if lines.iter().all(|line| line.request.is_none()) && schedule.is_done(Instant::now()) {
            return Ok(Run { times, took: started.elapsed() });
        }
        wait(&lines, schedule.next_at())?;
        for line in lines.iter_mut().filter(|line| line.request.is_some()) {
            times.extend(line.advance()?);
        }
    }
}

/// Until a connection that is busy can go on, or the next request is due.
fn wait(lines: &[Line<'_>], next_at: Option<Instant>) -> anyhow::Result<()> {
    let mut waits: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(PollFd::new(&line.stream, line.request.as_ref()?.waits_for())))
        .collect();
    let idle = waits.len() < lines.len();
    let timeout =
        next_at.filter(|_| idle).map_or(ANSWER_TIMEOUT, |at| at.saturating_duration_since(Instant::now()));
    let timeout = Timespec::try_from(timeout).context("a timeout")?;
    match poll(&mut waits, Some(&timeout)) {
        Ok(0) if next_at.is_none() || !idle => bail!("no answer within {ANSWER_TIMEOUT:?}"),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("wait for answers"),
    }
}

/// What is still to be sent.
enum Schedule<'r> {
    Until { request: &'r [u8], end: Instant },
    Queue(VecDeque<(&'r [u8], Option<Instant>)>),
}

impl<'r> Schedule<'r> {
    fn new(plan: &Plan<'r>, start: Instant) -> Self {
        match *plan {
            Plan::For { request, span } => Self::Until { request, end: start + span },
            Plan::Count { request, count } => Self::Queue((0..count).map(|_| (request, None)).collect()),
            Plan::Once(requests) => {
                Self::Queue(requests.iter().map(|request| (request.as_slice(), None)).collect())
            }
            Plan::Every { request, interval, count } => {
                let due = |number: usize| start + interval * u32::try_from(number).unwrap_or(u32::MAX);
                Self::Queue((0..count).map(|number| (request, Some(due(number)))).collect())
            }
        }
    }

    fn next(&mut self, now: Instant) -> Option<(&'r [u8], Instant)> {
        match self {
            Self::Until { request, end } => (now < *end).then_some((*request, now)),
            Self::Queue(queue) => {
                let (_, due) = queue.front()?;
                if due.is_some_and(|due| due > now) {
                    return None;
                }
                queue.pop_front().map(|(request, due)| (request, due.unwrap_or(now)))
            }
        }
    }

    fn next_at(&self) -> Option<Instant> {
        match self {
            Self::Until { .. } => None,
            Self::Queue(queue) => queue.front()?.1,
        }
    }

    fn is_done(&self, now: Instant) -> bool {
        match self {
            Self::Until { end, .. } => now >= *end,
            Self::Queue(queue) => queue.is_empty(),
        }
    }
}

/// One connection.
struct Line<'r> {
    address: SocketAddr,
    stream: TcpStream,
    request: Option<Pending<'r>>,
    answer: Vec<u8>,
    /// What is read lands here first. It is cleared once: clearing it for each answer took a twentieth of the machine
    /// that is measured.
    buffer: Box<[u8]>,
}

struct Pending<'r> {
    unsent: &'r [u8],
    due: Instant,
}

impl Pending<'_> {
    fn waits_for(&self) -> PollFlags {
        if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }
}

impl<'r> Line<'r> {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (answer, buffer) = (Vec::with_capacity(4096), vec![0; READ_BYTES].into());
        Ok(Self { address, stream, request: None, answer, buffer })
    }

    fn send(&mut self, request: &'r [u8], due: Instant) -> anyhow::Result<()> {
        self.answer.clear();
        self.request = Some(Pending { unsent: request, due });
        self.write()
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let Some(pending) = &mut self.request else { return Ok(()) };
        while !pending.unsent.is_empty() {
            match self.stream.write(pending.unsent) {
                Ok(written) => pending.unsent = &pending.unsent[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("send a request"),
            }
        }
        Ok(())
    }

    /// Sends and reads what it can; how long the request took if that was all.
    fn advance(&mut self) -> anyhow::Result<Option<Duration>> {
        self.write()?;
        let read = match self.stream.read(&mut self.buffer) {
            Ok(0) => bail!("the server hung up"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("read an answer"),
        };
        self.answer.extend_from_slice(&self.buffer[..read]);
        let Some(Answer { head, length }) = answer::parse(&self.answer)? else { return Ok(None) };
        let due = self.request.take().context("nobody asked")?.due;
        let took = due.elapsed();
        ensure!(
            (200..300).contains(&head.status) && !head.function_error && length == self.answer.len(),
            "an invocation was answered with {}",
            String::from_utf8_lossy(&self.answer)
        );
        if head.closes {
            // Some peers take one request a connection; a client of theirs pays for the next one.
            *self = Self::open(self.address)?;
        }
        Ok(Some(took))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers every request on every connection.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).unwrap() > 0 {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn every_plan_sends_what_it_says() {
        let address = echo();
        let counted = |plan| drive(address, 3, &plan).unwrap();
        let request = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(counted(Plan::Count { request, count: 10 }).times.len(), 10);
        let two = [request.to_vec(), request.to_vec()];
        assert_eq!(drive(address, 3, &Plan::Once(&two)).unwrap().times.len(), 2);
        assert!(!counted(Plan::For { request, span: Duration::from_millis(20) }).times.is_empty());
        let open = counted(Plan::Every { request, interval: Duration::from_millis(2), count: 10 });
        assert!(open.times.len() == 10 && open.took >= Duration::from_millis(18), "{:?}", open.took);
    }
}
