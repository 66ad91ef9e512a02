//! The task that owns an environment: it turns what happens into events, and performs what the state decides.
//!
//! It owns the state, the cell, the pipes and the timer, so nothing here is locked. Each turn of [`run`] takes one
//! thing that happened; each action is performed before the next is looked at.

mod extensions;
mod invocation;
mod restore;
mod start;
mod stream;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use domain::{Family, LogFormat, Timestamp, limits};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use self::extensions::{Extensions, Waiting};
use self::restore::Restore;
use super::deadlines::{Deadlines, Due};
use super::state::{Action, Death, Event, Grace, Phase, Refusal, State};
use crate::engine::Shared;
use crate::isolation::{BoxFuture, Cell, Exit, Fault, Signaller, Usage};
use crate::logs::{Journal, Output, Platform, Said, Status};
use crate::observation::Witness;
use crate::placement::{Command, EnvironmentId, Job, Pool, Ticket};
use crate::runtime_api::{self, Call, CallKind, Ended, Posted, Sink};
use crate::{Initialization, InvokeError};

/// Calls of a runtime that may wait to be looked at.
const CALLS_WAITING: usize = 8;
/// How long a cell may take to start or kill a process: milliseconds, unless something is very wrong.
const CELL_TIMEOUT: Duration = Duration::from_secs(10);
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// Before the next try when a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Lives an environment's life, from its start to the end of its cell.
pub(crate) async fn run(engine: Arc<Shared>, pool: Arc<Pool>, ticket: Ticket) {
    let mut environment = Environment::new(engine, pool, &ticket);
    let mut commands = ticket.commands;
    environment.begin().await;
    while environment.state.phase() != Phase::Stopped {
        environment.turn(&mut commands).await;
    }
    // What placement handed over in the last moment goes to another environment.
    commands.close();
    while let Some(command) = commands.recv().await {
        if let Command::Assign(job) = command {
            environment.engine.submit(job);
        }
    }
}

struct Environment {
    engine: Arc<Shared>,
    pool: Arc<Pool>,
    id: EnvironmentId,
    initialization: Initialization,
    /// It is initialised before a request is there, and of no use without its runtime.
    ahead: bool,
    /// Placement knows that it is no more.
    has_left: bool,
    state: State,
    /// Events that follow from actions, before anything else happens.
    follow_ups: VecDeque<Event>,
    cell: Option<Box<dyn Cell>>,
    listener: Option<Arc<TcpListener>>,
    /// Counts starts of the runtime, so that calls of a former one are recognised.
    generation: u64,
    connections: JoinSet<()>,
    /// Room for what those connections carry.
    bodies: Arc<Semaphore>,
    calls_sender: mpsc::Sender<Call>,
    calls: mpsc::Receiver<Call>,
    exit: Option<BoxFuture<'static, Exit>>,
    exited: Option<Exit>,
    /// Sends signals to the runtime, while it runs.
    signal: Option<Signaller>,
    stdout: Option<Output>,
    stderr: Option<Output>,
    buffer: Vec<u8>,
    /// The call that is being decided about.
    call: Option<Reply>,
    posted: Option<Posted>,
    /// The end of the response that the caller sees as it comes.
    stream_end: Option<oneshot::Receiver<Ended>>,
    /// The call that waits for an event.
    parked: Option<oneshot::Sender<Result<runtime_api::Event, Refusal>>>,
    job: Option<Current>,
    /// The answered invocation whose END and REPORT are not written yet.
    unsettled: Option<Settlement>,
    deadlines: Deadlines,
    /// The Init phase is over, and the cell is not told yet.
    init_ended: bool,
    /// When the runtime was started, until it has asked for an event or failed to.
    starting_since: Option<Instant>,
    /// The runtime has done its part of that, which has been said.
    said_runtime_done: bool,
    /// How long the Init phase took, until an invocation has reported it.
    unreported_init: Option<Duration>,
    init: Duration,
    usage: Usage,
    oom_kills_seen: u64,
    fault: Option<String>,
    start_error: Option<InvokeError>,
    journal: Journal,
    platform: Platform,
    /// Once there are any.
    extensions: Option<Box<Extensions>>,
    /// With SnapStart.
    restore: Option<Box<Restore>>,
    /// When what the extensions do has to be done, once they are told of the end.
    shutdown_until: Option<Instant>,
}

/// The invocation at hand.
struct Current {
    job: Box<Job>,
    /// When its time began.
    begun: Option<Instant>,
    /// When its time ends, as the function is told.
    deadline: Timestamp,
    /// What the function has produced of a streamed response.
    streamed_bytes: Option<Arc<AtomicUsize>>,
    /// When such a response began.
    streaming_since: Option<Instant>,
    /// The trace header, where somebody will want to know it.
    trace: Option<String>,
}

struct Settlement {
    request_id: Uuid,
    tenant: Option<Arc<str>>,
    begun: Option<Instant>,
    streaming_since: Option<Instant>,
    answered: Instant,
    /// When the runtime had done its part, once that has been said.
    runtime_done: Option<Instant>,
    trace: Option<String>,
    duration: Duration,
    init: Option<Duration>,
    restore: Option<Duration>,
    produced_bytes: usize,
    status: Status,
    /// Who counts how long extensions take, if there are any.
    witness: Option<Witness>,
}

enum Reply {
    Next(oneshot::Sender<Result<runtime_api::Event, Refusal>>),
    Post(oneshot::Sender<Result<(), Refusal>>),
    Restore(oneshot::Sender<Result<(), Refusal>>),
    Stream { content_type: Option<String>, reply: oneshot::Sender<Result<Option<Sink>, Refusal>> },
    Extension(Waiting),
}

impl Environment {
    fn new(engine: Arc<Shared>, pool: Arc<Pool>, ticket: &Ticket) -> Self {
        let (calls_sender, calls) = mpsc::channel(CALLS_WAITING);
        let options = &engine.options;
        Self {
            journal: Journal::new(&pool.version, Arc::clone(&options.clock), options.logs.clone()),
            platform: Platform::new(&pool.version, ticket.initialization),
            engine,
            pool,
            id: ticket.id,
            initialization: ticket.initialization,
            ahead: ticket.ahead,
            has_left: false,
            state: State::new(),
            follow_ups: VecDeque::new(),
            cell: None,
            listener: None,
            generation: 0,
            connections: JoinSet::new(),
            bodies: Arc::new(Semaphore::new(runtime_api::BODIES_MAX)),
            calls_sender,
            calls,
            exit: None,
            exited: None,
            signal: None,
            stdout: None,
            stderr: None,
            buffer: Vec::new(),
            call: None,
            posted: None,
            stream_end: None,
            parked: None,
            job: None,
            unsettled: None,
            deadlines: Deadlines::new(),
            init_ended: false,
            starting_since: None,
            said_runtime_done: false,
            unreported_init: None,
            init: Duration::ZERO,
            usage: Usage::default(),
            oom_kills_seen: 0,
            fault: None,
            start_error: None,
            extensions: None,
            restore: (ticket.initialization == Initialization::SnapStart).then(|| Box::new(Restore::new())),
            shutdown_until: None,
        }
    }

    /// Takes one thing that happened.
    async fn turn(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) {
        let listening = self.connections.len() < runtime_api::CONNECTIONS_MAX;
        let congested = self.journal.is_congested();
        tokio::select! {
            biased;
            Some(command) = commands.recv() => self.command(command).await,
            Some(call) = self.calls.recv() => self.call(call).await,
            ended = stream_ended(&mut self.stream_end) => self.stream_ended(ended).await,
            exit = ended(&mut self.exit) => self.runtime_exited(exit).await,
            stream = accepted(&self.listener), if listening => self.connect(stream),
            () = readable(&self.stdout), if !congested => self.print(),
            () = readable(&self.stderr), if !congested => self.print(),
            heard = extensions::hear(&mut self.extensions), if !congested => self.heard(heard).await,
            () = closed(&mut self.parked) => {
                self.parked = None;
                self.feed(Event::NextDropped).await;
            }
            () = restore::dropped(&mut self.restore) => self.restore_dropped().await,
            due = self.deadlines.wait() => self.due(due).await,
            () = self.journal.send_waiting() => {}
            Some(_) = self.connections.join_next() => {}
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Assign(job) if matches!(self.state.phase(), Phase::Stopping { .. } | Phase::Stopped) => {
                self.engine.submit(job);
            }
            Command::Assign(job) => {
                let id = self.take(job);
                self.feed(Event::Assigned(id)).await;
            }
            Command::Retire => self.feed(Event::Retire).await,
            Command::Abort => self.feed(Event::Abort).await,
        }
    }

    async fn call(&mut self, call: Call) {
        if call.generation != self.generation {
            return;
        }
        let event = match call.kind {
            CallKind::Next { reply } => {
                self.call = Some(Reply::Next(reply));
                Event::Next
            }
            CallKind::Post { id, posted, reply } => {
                self.call = Some(Reply::Post(reply));
                let answer = posted.answer;
                self.posted = Some(posted);
                Event::Response(id, answer)
            }
            CallKind::Stream { id, content_type, reply } => {
                return self.stream_asked(id, content_type, reply).await;
            }
            CallKind::Extension(call) => return self.extension_call(call).await,
            CallKind::RestoreNext { reply } => return self.restore_asked(reply).await,
            CallKind::RestoreError { posted, reply } => return self.restore_failed(posted, reply).await,
            CallKind::Credentials { token, reply } => {
                return drop(reply.send(self.credentials(token.as_deref())));
            }
            CallKind::InitError { posted, reply } => {
                self.call = Some(Reply::Post(reply));
                self.posted = Some(posted);
                Event::InitError
            }
        };
        self.feed(event).await;
        self.posted = None;
    }

    async fn runtime_exited(&mut self, exit: Exit) {
        (self.exit, self.signal) = (None, None);
        self.exited = Some(exit);
        let usage = self.measure();
        let death = if usage.oom_kills > self.oom_kills_seen { Death::OutOfMemory } else { Death::Exit };
        self.oom_kills_seen = usage.oom_kills;
        self.drain();
        self.feed(Event::Exited(death)).await;
    }

    fn connect(&mut self, stream: TcpStream) {
        let (calls, bodies) = (self.calls_sender.clone(), Arc::clone(&self.bodies));
        self.connections.spawn(runtime_api::serve(stream, self.generation, calls, bodies));
    }

    async fn due(&mut self, due: Due) {
        match due {
            Due::Init => self.feed(Event::InitTimedOut).await,
            Due::Invocation => {
                if let Some(id) = self.state.invocation() {
                    self.feed(Event::TimedOut(id)).await;
                }
            }
            Due::Release => self.feed(Event::Overdue).await,
            Due::Truncation => self.stream_truncated().await,
            // What subscribers are owed reaches them before they are frozen, unless they take their time.
            Due::Rest
                if self.extensions.as_mut().is_some_and(|extensions| extensions.flush_before_rest()) =>
            {
                self.deadlines.set(Due::Rest, Instant::now() + extensions::FLUSH_GRACE);
            }
            Due::Rest => self.feed(Event::Rested).await,
            Due::Restore => self.restore_due().await,
            Due::Shutdown => self.feed(Event::ShutdownDue).await,
            // Only what placement has not handed an invocation to in this moment may go.
            Due::Expiry if self.pool.withdraw(self.id) => self.feed(Event::Retire).await,
            Due::Expiry => {}
        }
    }

    async fn feed(&mut self, event: Event) {
        self.follow_ups.push_back(event);
        while let Some(event) = self.follow_ups.pop_front() {
            let (state, actions) = self.state.on(event);
            self.state = state;
            for action in actions {
                self.perform(action).await;
            }
        }
        // Nothing runs any longer in what was to be ready: another environment takes its place.
        if self.state.phase() == Phase::Vacant && self.is_ahead() && self.pool.withdraw(self.id) {
            return Box::pin(self.feed(Event::Retire)).await;
        }
        // Not before the event is delivered: the function may as well start at full speed meanwhile.
        if std::mem::take(&mut self.init_ended)
            && let Some(cell) = &self.cell
            && let Err(fault) = cell.end_init()
        {
            self.broken(fault.to_string());
            Box::pin(self.feed(Event::Broken)).await;
        }
    }

    /// Whether it is to be ready before a request comes.
    fn is_ahead(&self) -> bool {
        self.ahead && self.pool.is_kept(self.id)
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::StartExtensions => self.start_extensions().await,
            Action::Start => {
                if let Err(error) = self.start().await {
                    let failure = self.note_start_error(error);
                    self.follow_ups.push_back(Event::StartFailed(failure));
                }
            }
            Action::ParkExtension(number) => self.park_extension(number),
            Action::Announce(to) if self.announces_later(to) => {}
            Action::Announce(to) => self.announce(to),
            Action::Shutdown(to, reason) => self.announce_end(to, reason),
            Action::Terminate(grace) => self.terminate(grace).await,
            Action::KillRuntime => self.signal_runtime(SIGKILL).await,
            Action::RuntimeDone if self.starting_since.is_some() => self.init_runtime_done(),
            Action::RuntimeDone => self.runtime_done(),
            Action::Amend(verdict) => self.amend(verdict),
            Action::Park => {
                self.deadlines.clear(Due::Release);
                self.deadlines.set(Due::Rest, Instant::now() + self.engine.options.limits.freeze_after);
                match self.call.take() {
                    Some(Reply::Next(reply)) => self.parked = Some(reply),
                    Some(Reply::Restore(reply)) => self.park_restore(reply),
                    _ => {}
                }
            }
            Action::Accept => self.reply(Ok(())),
            Action::Refuse(refusal) => self.reply(Err(refusal)),
            Action::Stream => self.open_stream(),
            Action::Deliver(_) => self.deliver(),
            Action::Answer(id, verdict) => self.answer(id, verdict),
            Action::Settle => self.settle(),
            Action::ReportInit(result) => self.report_init(result),
            Action::EndInit => self.init_ended = true,
            Action::Offer => self.offer(),
            Action::Disappoint => self.engine.launch(&self.pool, self.pool.disappoint(self.id)),
            Action::Abandon => self.abandon(),
            Action::Leave => self.leave(),
            Action::Freeze => self.freeze(true),
            Action::Thaw => self.freeze(false),
            Action::Kill => self.kill().await,
            Action::Destroy => self.destroy().await,
        }
    }

    fn reply(&mut self, decision: Result<(), Refusal>) {
        match (self.call.take(), decision) {
            (Some(Reply::Next(reply)), Err(refusal)) => drop(reply.send(Err(refusal))),
            (Some(Reply::Post(reply)), decision) => drop(reply.send(decision)),
            (Some(Reply::Restore(reply)), Err(refusal)) => drop(reply.send(Err(refusal))),
            (Some(Reply::Stream { reply, .. }), Err(refusal)) => drop(reply.send(Err(refusal))),
            (Some(Reply::Extension(waiting)), decision) => self.reply_to_extension(waiting, decision),
            // A call for an event is parked, not accepted, and a stream is opened.
            (Some(Reply::Next(_) | Reply::Restore(_) | Reply::Stream { .. }) | None, _) => {}
        }
    }

    fn leave(&mut self) {
        self.has_left = true;
        self.engine.left(&self.pool, self.id);
    }

    fn freeze(&mut self, freeze: bool) {
        let Some(cell) = &self.cell else { return };
        let done = if freeze { cell.freeze() } else { cell.thaw() };
        if let Err(fault) = done {
            self.broken(fault.to_string());
            self.follow_ups.push_front(Event::Broken);
        }
    }

    async fn kill(&mut self) {
        for due in [Due::Init, Due::Restore, Due::Invocation, Due::Release, Due::Shutdown] {
            self.deadlines.clear(due);
        }
        self.shutdown_until = None;
        if let Some(restore) = &mut self.restore {
            restore.restart();
        }
        let killed = match &self.cell {
            Some(cell) => in_time("kill a function's processes", cell.kill()).await,
            None => Ok(()),
        };
        self.drain();
        (self.stdout, self.stderr, self.exit, self.signal) = (None, None, None, None);
        (self.parked, self.call) = (None, None);
        if let Some(extensions) = &mut self.extensions {
            extensions.restart();
        }
        self.generation += 1;
        self.connections.abort_all();
        self.starting_since = None;
        match killed {
            Ok(()) => self.follow_ups.push_back(Event::Killed),
            Err(fault) => {
                self.broken(fault.to_string());
                self.follow_ups.push_back(Event::Broken);
            }
        }
    }

    /// Asks the runtime to end; its extensions are told after it, or end with it.
    async fn terminate(&mut self, grace: Grace) {
        let (grace, whole) = match grace {
            Grace::BeforeExternal => (limits::SHUTDOWN_RUNTIME, limits::SHUTDOWN_EXTERNAL),
            Grace::Internal => (limits::SHUTDOWN_INTERNAL, limits::SHUTDOWN_INTERNAL),
        };
        for due in [Due::Rest, Due::Expiry] {
            self.deadlines.clear(due);
        }
        self.shutdown_until = Some(Instant::now() + whole);
        self.deadlines.set(Due::Shutdown, Instant::now() + grace);
        if self.exit.is_none() {
            self.follow_ups.push_back(Event::ShutdownDue);
        }
        self.signal_runtime(SIGTERM).await;
    }

    /// A runtime that cannot be reached has ended, or will be when its time is up.
    async fn signal_runtime(&mut self, signal: i32) {
        let Some(runtime) = &self.signal else { return };
        if let Err(fault) = in_time("signal a runtime", runtime(signal)).await {
            tracing::debug!(function = %self.pool.version.name, %fault, "runtime not signalled");
        }
    }

    async fn destroy(&mut self) {
        self.drain();
        if let Some(cell) = self.cell.take() {
            cell.destroy().await;
        }
        // Not before: a runtime that lives to see its call for an event fail complains, in the log of a function that may
        // have been deleted, and its log group with it.
        self.parked = None;
        self.drain();
        self.farewell().await;
        self.follow_ups.push_back(Event::Destroyed);
    }

    fn broken(&mut self, why: String) {
        tracing::warn!(function = %self.pool.version.name, error = why, "environment broke");
        self.fault = Some(why);
    }

    fn measure(&mut self) -> Usage {
        if let Some(cell) = &self.cell {
            self.usage = cell.usage();
        }
        self.usage
    }

    /// The platform says something: in the log, and to those who subscribed.
    fn say(&mut self, said: Said<'_>) {
        let Self { journal, platform, extensions, .. } = self;
        let at = journal.now();
        platform.lines(at, said, |line| journal.write(line));
        if let Some(extensions) = extensions {
            extensions.tell(at, || platform.record(said));
        }
    }

    fn print(&mut self) {
        let Self { stdout, stderr, buffer, journal, pool, extensions, .. } = self;
        for output in [stdout, stderr].into_iter().flatten() {
            output.read(buffer, |line| print(journal, pool, extensions, line));
        }
    }

    fn drain(&mut self) {
        let Self { stdout, stderr, buffer, journal, pool, extensions, .. } = self;
        for output in [stdout, stderr].into_iter().flatten() {
            output.drain(buffer, |line| print(journal, pool, extensions, line));
        }
    }
}

impl Drop for Environment {
    /// Whatever ends the task early, no request may go on counting on this environment.
    fn drop(&mut self) {
        if !self.has_left {
            self.leave();
        }
    }
}

/// A line of the function. Managed runtimes filter by level themselves; for others the platform does.
fn print(journal: &mut Journal, pool: &Pool, extensions: &mut Option<Box<Extensions>>, line: String) {
    let logging = &pool.version.logging;
    if logging.format == LogFormat::Json
        && pool.version.runtime.family() == Family::Provided
        && !crate::logs::is_wanted(&line, logging.application_level.as_deref())
    {
        return;
    }
    if let Some(extensions) = extensions {
        extensions.tell_line(journal.now(), logging.format == LogFormat::Json, &line);
    }
    journal.write(line);
}

/// A cell that does not do what it is told is of no use any longer.
async fn in_time<T, E: From<Fault>>(what: &str, done: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::time::timeout(CELL_TIMEOUT, done).await {
        Ok(done) => done,
        Err(_) => Err(Fault(format!("{what}: no answer within {CELL_TIMEOUT:?}")).into()),
    }
}

async fn ended(exit: &mut Option<BoxFuture<'static, Exit>>) -> Exit {
    match exit {
        Some(exit) => exit.await,
        None => std::future::pending().await,
    }
}

async fn stream_ended(
    end: &mut Option<oneshot::Receiver<Ended>>,
) -> Result<Ended, oneshot::error::RecvError> {
    match end {
        Some(end) => end.await,
        None => std::future::pending().await,
    }
}

async fn readable(output: &Option<Output>) {
    match output {
        Some(output) => output.readable().await,
        None => std::future::pending().await,
    }
}

async fn closed<T>(parked: &mut Option<oneshot::Sender<T>>) {
    match parked {
        Some(parked) => parked.closed().await,
        None => std::future::pending().await,
    }
}

async fn accepted(listener: &Option<Arc<TcpListener>>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The peer was gone before it was accepted, or descriptors are short for a moment.
            Err(error) => {
                tracing::debug!(%error, "runtime connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
