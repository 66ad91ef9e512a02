//! The task that owns an environment: it turns what happens into events, and performs what the state decides.
//!
//! It owns the state, the cell, the pipes and the timer, so nothing here is locked. Each turn of [`run`] takes one
//! thing that happened; each action is performed before the next is looked at.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::{Family, LogFormat, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::deadlines::{Deadlines, Due};
use super::outcome::{self, Circumstances};
use super::state::{Action, Death, Event, InitResult, Phase, Refusal, StartFailure, State, Verdict};
use crate::engine::Shared;
use crate::isolation::{BoxFuture, Cell, Cpu, Exit, Fault, Process, StartError, Usage};
use crate::logs::{InitReport, Journal, Output, Phase as InitPhase, Platform, Report, Status};
use crate::placement::{Command, EnvironmentId, Held, Job, Offered, Pool, Ticket};
use crate::runtime_api::{self, Call, CallKind, Posted};
use crate::{InvokeError, Outcome, Start};

/// Calls of a runtime that may wait to be looked at.
const CALLS_WAITING: usize = 8;
/// How long a cell may take to start or kill a process: milliseconds, unless something is very wrong.
const CELL_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the next try when a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Lives an environment's life, from its start to the end of its cell.
pub(crate) async fn run(engine: Arc<Shared>, pool: Arc<Pool>, ticket: Ticket) {
    let mut environment = Environment::new(engine, pool, ticket.id);
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
    calls_sender: mpsc::Sender<Call>,
    calls: mpsc::Receiver<Call>,
    exit: Option<BoxFuture<'static, Exit>>,
    exited: Option<Exit>,
    stdout: Option<Output>,
    stderr: Option<Output>,
    buffer: Vec<u8>,
    /// The call that is being decided about.
    call: Option<Reply>,
    posted: Option<Posted>,
    /// The call that waits for an event.
    parked: Option<oneshot::Sender<Result<runtime_api::Event, Refusal>>>,
    job: Option<Current>,
    /// The answered invocation whose END and REPORT are not written yet.
    unsettled: Option<Settlement>,
    deadlines: Deadlines,
    limit_cpu: bool,
    /// When the runtime was started, until it has asked for an event or failed to.
    starting_since: Option<Instant>,
    /// How long the Init phase took, until an invocation has reported it.
    unreported_init: Option<Duration>,
    init: Duration,
    usage: Usage,
    oom_kills_seen: u64,
    fault: Option<String>,
    start_error: Option<InvokeError>,
    journal: Journal,
    platform: Platform,
}

/// The invocation at hand.
struct Current {
    job: Box<Job>,
    /// When its time began.
    begun: Option<Instant>,
    /// When its time ends, as the function is told.
    deadline: Timestamp,
}

struct Settlement {
    request_id: Uuid,
    duration: Duration,
    init: Option<Duration>,
    produced_bytes: usize,
    status: Status,
}

enum Reply {
    Next(oneshot::Sender<Result<runtime_api::Event, Refusal>>),
    Post(oneshot::Sender<Result<(), Refusal>>),
}

impl Environment {
    fn new(engine: Arc<Shared>, pool: Arc<Pool>, id: EnvironmentId) -> Self {
        let (calls_sender, calls) = mpsc::channel(CALLS_WAITING);
        let options = &engine.options;
        Self {
            journal: Journal::new(&pool.version, Arc::clone(&options.clock), options.logs.clone()),
            platform: Platform::new(&pool.version),
            engine,
            pool,
            id,
            has_left: false,
            state: State::new(),
            follow_ups: VecDeque::new(),
            cell: None,
            listener: None,
            generation: 0,
            connections: JoinSet::new(),
            calls_sender,
            calls,
            exit: None,
            exited: None,
            stdout: None,
            stderr: None,
            buffer: Vec::new(),
            call: None,
            posted: None,
            parked: None,
            job: None,
            unsettled: None,
            deadlines: Deadlines::new(),
            limit_cpu: false,
            starting_since: None,
            unreported_init: None,
            init: Duration::ZERO,
            usage: Usage::default(),
            oom_kills_seen: 0,
            fault: None,
            start_error: None,
        }
    }

    /// The Init phase begins: a cell, and the runtime in it.
    async fn begin(&mut self) {
        match self.engine.options.isolation.acquire(&self.pool.version).await {
            Ok(cell) => {
                self.listener = Some(cell.listener());
                self.cell = Some(cell);
                self.deadlines.set(Due::Init, Instant::now() + self.engine.options.limits.init_timeout);
                if let Err(error) = self.start(InitPhase::Init).await {
                    self.start_failed(error).await;
                }
            }
            Err(error) => self.start_failed(error).await,
        }
    }

    async fn start_failed(&mut self, error: StartError) {
        let failure = self.note_start_error(error);
        self.feed(Event::StartFailed(failure)).await;
    }

    fn note_start_error(&mut self, error: StartError) -> StartFailure {
        let message = error.to_string();
        tracing::debug!(function = %self.pool.version.name, error = message, "environment did not start");
        self.fault = Some(message.clone());
        match error {
            StartError::InvalidEntrypoint(_) => return StartFailure::Entrypoint,
            StartError::RuntimeUnavailable { runtime, advice } => {
                self.start_error = Some(InvokeError::RuntimeUnavailable { runtime, advice });
            }
            StartError::Fault(_) => self.start_error = Some(InvokeError::Unavailable { why: message }),
        }
        StartFailure::Machine
    }

    /// Takes one thing that happened.
    async fn turn(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) {
        let listening = self.connections.len() < runtime_api::CONNECTIONS_MAX;
        let congested = self.journal.is_congested();
        tokio::select! {
            biased;
            Some(command) = commands.recv() => self.command(command).await,
            Some(call) = self.calls.recv() => self.call(call).await,
            exit = ended(&mut self.exit) => self.runtime_exited(exit).await,
            stream = accepted(&self.listener), if listening => self.connect(stream),
            () = readable(&self.stdout), if !congested => self.print(),
            () = readable(&self.stderr), if !congested => self.print(),
            () = closed(&mut self.parked) => {
                self.parked = None;
                self.feed(Event::NextDropped).await;
            }
            due = self.deadlines.wait() => self.due(due).await,
            () = self.journal.send_waiting() => {}
            Some(_) = self.connections.join_next() => {}
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Assign(job) if matches!(self.state.phase(), Phase::Stopping | Phase::Stopped) => {
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

    fn take(&mut self, job: Box<Job>) -> Uuid {
        let id = job.invocation.request_id;
        if job.invocation.tail {
            self.journal.start_tail();
        }
        self.deadlines.set(Due::Invocation, Instant::now() + self.pool.version.timeout);
        self.deadlines.clear(Due::Rest);
        self.deadlines.clear(Due::Expiry);
        self.job = Some(Current { job, begun: None, deadline: Timestamp::default() });
        id
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
        self.exit = None;
        self.exited = Some(exit);
        let usage = self.measure();
        let death = if usage.oom_kills > self.oom_kills_seen { Death::OutOfMemory } else { Death::Exit };
        self.oom_kills_seen = usage.oom_kills;
        self.drain();
        self.feed(Event::Exited(death)).await;
    }

    fn connect(&mut self, stream: TcpStream) {
        self.connections.spawn(runtime_api::serve(stream, self.generation, self.calls_sender.clone()));
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
            Due::Rest => self.feed(Event::Rested).await,
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
        // Not before the event is delivered: the function may as well start at full speed meanwhile.
        if std::mem::take(&mut self.limit_cpu)
            && let Some(cell) = &self.cell
            && let Err(fault) = cell.set_cpu(Cpu::Share)
        {
            self.broken(fault.to_string());
            Box::pin(self.feed(Event::Broken)).await;
        }
    }

    async fn perform(&mut self, action: Action) {
        match action {
            Action::Start => {
                self.begin_invocation();
                if let Err(error) = self.start(InitPhase::Invoke).await {
                    let failure = self.note_start_error(error);
                    self.follow_ups.push_back(Event::StartFailed(failure));
                }
            }
            Action::Park => {
                self.deadlines.clear(Due::Release);
                self.deadlines.set(Due::Rest, Instant::now() + self.engine.options.limits.freeze_after);
                if let Some(Reply::Next(reply)) = self.call.take() {
                    self.parked = Some(reply);
                }
            }
            Action::Accept => self.reply(Ok(())),
            Action::Refuse(refusal) => self.reply(Err(refusal)),
            Action::Deliver(_) => self.deliver(),
            Action::Answer(id, verdict) => self.answer(id, verdict),
            Action::Settle => self.settle(),
            Action::ReportInit(result) => self.report_init(result),
            Action::LimitCpu => self.limit_cpu = true,
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

    /// Starts the runtime, with everything it learns from its environment.
    async fn start(&mut self, phase: InitPhase) -> Result<(), StartError> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        let version = &self.pool.version;
        let at = self.journal.now();
        let runtime = cell.runtime_version();
        let runtime_arn = crate::runtime_version_arn(&version.scope.region, runtime);
        if let Some(line) = self.platform.init_start(at, phase, runtime, &runtime_arn) {
            self.journal.write(line);
        }
        let credentials = (self.engine.options.credentials)(version);
        let session = runtimes::Session {
            credentials: &credentials,
            endpoint_url: &self.engine.options.endpoint_url,
            log_stream: self.journal.stream(),
            initialization_type: "on-demand",
        };
        let variables = runtimes::of_function(version, &session);
        if phase == InitPhase::Invoke {
            cell.set_cpu(Cpu::Full)?;
        }
        self.starting_since = Some(Instant::now());
        self.exited = None;
        let framed = version.runtime.family() != Family::Provided;
        let Process { stdout, stderr, exited } = in_time("start a runtime", cell.start(variables)).await?;
        (self.stdout, self.stderr) = (Some(Output::new(stdout, framed)), Some(Output::new(stderr, false)));
        self.exit = Some(exited);
        Ok(())
    }

    /// The invocation's time and log begin, once.
    fn begin_invocation(&mut self) {
        let Some(current) = &mut self.job else { return };
        if current.begun.is_some() {
            return;
        }
        let now = self.journal.now();
        current.begun = Some(Instant::now());
        current.deadline = now.plus(self.pool.version.timeout);
        if let Some(line) = self.platform.start(now, current.job.invocation.request_id) {
            self.journal.write(line);
        }
    }

    fn deliver(&mut self) {
        self.begin_invocation();
        if self.starting_since.is_some() {
            self.init_ended(InitPhase::Invoke, &Status::Success);
        }
        let (Some(current), Some(parked)) = (&mut self.job, self.parked.take()) else { return };
        let invocation = &mut current.job.invocation;
        let event = runtime_api::Event {
            request_id: invocation.request_id,
            deadline_epoch_ms: current.deadline.epoch_ms(),
            invoked_arn: std::mem::take(&mut invocation.invoked_arn),
            trace_id: invocation
                .trace_header
                .take()
                .unwrap_or_else(|| runtime_api::untraced(invocation.request_id, self.journal.now())),
            client_context: invocation.client_context.take(),
            cognito_identity: invocation.cognito_identity.take(),
            payload: std::mem::take(&mut invocation.payload),
        };
        if let Err(Ok(event)) = parked.send(Ok(event)) {
            // The connection closed in this moment. The runtime will ask again, or die.
            invocation.invoked_arn = event.invoked_arn;
            invocation.trace_header = Some(event.trace_id);
            invocation.client_context = event.client_context;
            invocation.cognito_identity = event.cognito_identity;
            invocation.payload = event.payload;
            self.follow_ups.push_back(Event::NextDropped);
        }
    }

    fn reply(&mut self, decision: Result<(), Refusal>) {
        match (self.call.take(), decision) {
            (Some(Reply::Next(reply)), Err(refusal)) => drop(reply.send(Err(refusal))),
            (Some(Reply::Post(reply)), decision) => drop(reply.send(decision)),
            // A call for an event is parked, not accepted.
            (Some(Reply::Next(_)) | None, _) => {}
        }
    }

    /// Tells the caller. Whatever else there is to do comes after that, except for what the tail must hold.
    fn answer(&mut self, id: Uuid, verdict: Verdict) {
        let Some(Current { job, begun, .. }) = self.job.take() else { return };
        let Job { invocation, permit, reply } = *job;
        let duration = match verdict {
            Verdict::TimedOut => self.pool.version.timeout,
            _ => begun.map(|begun| begun.elapsed()).unwrap_or_default(),
        };
        let ruling = outcome::rule(
            verdict,
            Circumstances {
                request_id: id,
                version: &self.pool.version,
                posted: self.posted.take(),
                exit: self.exited,
                fault: self.fault.as_deref(),
            },
        );
        self.report_failed_init(&ruling.as_ref().map_or(Status::Success, |ruling| ruling.status.clone()));
        let init = self.unreported_init.take();
        let status = match &ruling {
            Ok(ruling) => ruling.status.clone(),
            Err(_) => Status::Error("Sandbox.Failure".to_owned()),
        };
        self.unsettled = Some(Settlement {
            request_id: id,
            duration,
            init,
            produced_bytes: ruling.as_ref().map_or(0, |ruling| ruling.payload.len()),
            status,
        });
        let mut log_tail = None;
        if invocation.tail {
            self.measure();
            self.settle();
            log_tail = self.journal.take_tail();
        }
        // Before the caller can send another request, which may count on the permit and on this environment.
        drop(permit);
        if !matches!(verdict, Verdict::Broken | Verdict::Aborted) {
            self.pool.releasing(self.id);
        }
        if matches!(self.state.phase(), Phase::Responded { .. }) {
            self.deadlines.set(Due::Release, Instant::now() + self.engine.options.limits.release_grace);
        }
        let outcome = ruling.map(|ruling| Outcome {
            payload: ruling.payload,
            function_error: ruling.function_error,
            log_tail,
            start: init.map_or(Start::Warm, |init| Start::Cold { init }),
            duration,
        });
        // A caller that has gone does not matter: the invocation is over all the same.
        let _ = reply.send(outcome);
        if !invocation.tail {
            self.measure();
        }
    }

    /// Everything the function has printed for this invocation, then END and REPORT.
    fn settle(&mut self) {
        let Some(settlement) = self.unsettled.take() else { return };
        // A child that was killed for its memory is the function's affair once the function has answered.
        self.oom_kills_seen = self.usage.oom_kills;
        self.drain();
        let report = Report {
            request_id: settlement.request_id,
            duration: settlement.duration,
            init: settlement.init,
            memory_bytes_max: self.usage.memory_bytes_max,
            produced_bytes: settlement.produced_bytes,
            status: &settlement.status,
        };
        let at = self.journal.now();
        let lines = [self.platform.end(at, &report), self.platform.report(at, &report)];
        lines.into_iter().flatten().for_each(|line| self.journal.write(line));
    }

    fn report_init(&mut self, result: InitResult) {
        self.deadlines.clear(Due::Init);
        self.drain();
        let status = match result {
            InitResult::Success => Status::Success,
            InitResult::TimedOut => Status::Timeout,
            InitResult::Error => {
                let reported = self.posted.as_ref().map(|posted| posted.error_type.clone());
                Status::Error(reported.unwrap_or_else(|| "Runtime.Unknown".to_owned()))
            }
            InitResult::Died(death) => Status::Error(outcome::death_type(death).to_owned()),
            InitResult::InvalidEntrypoint => Status::Error("Runtime.InvalidEntrypoint".to_owned()),
        };
        let duration = self.init_ended(InitPhase::Init, &status);
        if result == InitResult::Success {
            self.init = duration;
            self.unreported_init = Some(duration);
        }
    }

    /// The runtime did not come up inside the invocation that ends with `status`.
    fn report_failed_init(&mut self, status: &Status) {
        if self.starting_since.is_some() {
            self.drain();
            self.init_ended(InitPhase::Invoke, status);
        }
    }

    fn init_ended(&mut self, phase: InitPhase, status: &Status) -> Duration {
        let duration = self.starting_since.take().map(|since| since.elapsed()).unwrap_or_default();
        let report = InitReport { duration, phase, status };
        let at = self.journal.now();
        let lines = [self.platform.init_runtime_done(at, &report), self.platform.init_report(at, &report)];
        lines.into_iter().flatten().for_each(|line| self.journal.write(line));
        duration
    }

    fn offer(&mut self) {
        for due in [Due::Init, Due::Invocation, Due::Release] {
            self.deadlines.clear(due);
        }
        if self.usage == Usage::default() {
            self.measure();
        }
        let held = Held { memory_bytes: self.usage.memory_bytes, init: self.init };
        match self.pool.offer(self.id, held) {
            Offered::Job(job) => {
                let id = self.take(job);
                self.follow_ups.push_back(Event::Assigned(id));
            }
            Offered::Wait => {
                self.deadlines.set(Due::Expiry, Instant::now() + self.engine.options.limits.idle_age);
            }
            Offered::Stop => self.follow_ups.push_back(Event::Retire),
        }
    }

    fn abandon(&mut self) {
        let error = self.start_error.take().unwrap_or_else(|| InvokeError::Unavailable {
            why: self.fault.clone().unwrap_or_else(|| "the execution environment did not start".to_owned()),
        });
        if let Some(job) = self.pool.abandon(self.id) {
            job.fail(error);
        }
        self.leave();
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
        for due in [Due::Init, Due::Invocation, Due::Release] {
            self.deadlines.clear(due);
        }
        let killed = match &self.cell {
            Some(cell) => in_time("kill a function's processes", cell.kill()).await,
            None => Ok(()),
        };
        self.drain();
        (self.stdout, self.stderr, self.exit) = (None, None, None);
        (self.parked, self.call) = (None, None);
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

    async fn destroy(&mut self) {
        self.drain();
        self.parked = None;
        if let Some(cell) = self.cell.take() {
            cell.destroy().await;
        }
        self.drain();
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

    fn print(&mut self) {
        let Self { stdout, stderr, buffer, journal, pool, .. } = self;
        for output in [stdout, stderr].into_iter().flatten() {
            output.read(buffer, |line| print(journal, pool, line));
        }
    }

    fn drain(&mut self) {
        let Self { stdout, stderr, buffer, journal, pool, .. } = self;
        for output in [stdout, stderr].into_iter().flatten() {
            output.drain(buffer, |line| print(journal, pool, line));
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
fn print(journal: &mut Journal, pool: &Pool, line: String) {
    let logging = &pool.version.logging;
    if logging.format == LogFormat::Json
        && pool.version.runtime.family() == Family::Provided
        && !crate::logs::is_wanted(&line, logging.application_level.as_deref())
    {
        return;
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
