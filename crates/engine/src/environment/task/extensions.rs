//! The extensions of an environment: their processes, their calls, and what they subscribed to.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::{Clock, SystemClock, Timestamp, limits};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Environment, Reply, in_time};
use crate::Invocation;
use crate::environment::deadlines::Due;
use crate::environment::outcome;
use crate::environment::state::{
    Event, ExtensionNumber, ExtensionSet, Refusal, ShutdownReason, Subscriptions,
};
use crate::extensions::{ExtensionCall, ExtensionEvent, Refused, Registered, Registration, Registry};
use crate::isolation::{Dialer, Exit, Fault, LaunchError, Process};
use crate::logs::{Output, Said};
use crate::telemetry::{self, Content, Entry, Origin, Queue, Subscription};

/// How long an environment stays awake for subscribers that have not taken everything yet.
pub(super) const FLUSH_GRACE: Duration = Duration::from_millis(500);
/// How long what extensions printed last may take to arrive after their end.
const FAREWELL: Duration = Duration::from_millis(200);
/// What extensions print and may wait to be looked at, in lines.
const LINES_WAITING: usize = 64;
/// Entries kept for extensions that subscribe later in the Init phase.
const BACKLOG_MAX: usize = 10_000;

/// What happens to extensions.
pub(super) enum Heard {
    Line(String),
    Exited {
        number: ExtensionNumber,
        epoch: u64,
        exit: Exit,
    },
    /// The connection of a waiting call closed.
    Dropped(ExtensionNumber),
    /// A subscriber got something.
    Delivered,
}

/// A call of an extension that is being decided about.
pub(super) enum Waiting {
    Register(ExtensionNumber, Registration, oneshot::Sender<Result<Registered, Refused>>),
    Next(ExtensionNumber, NextReply),
    Failed(ExtensionNumber, oneshot::Sender<Result<(), Refused>>),
    Subscribe(ExtensionNumber, Box<Subscription>, oneshot::Sender<Result<(), Refused>>),
}

type NextReply = oneshot::Sender<Result<ExtensionEvent, Refused>>;

/// The extensions of an environment, and what they listen to.
pub(super) struct Extensions {
    registry: Registry,
    /// Counts starts, so that the end of a former process is recognised.
    epoch: u64,
    parked: [Option<NextReply>; limits::EXTENSIONS_MAX],
    sender: mpsc::Sender<Heard>,
    receiver: mpsc::Receiver<Heard>,
    /// What carries lines and exits from the processes.
    pumps: JoinSet<()>,
    subscribers: Vec<Subscriber>,
    /// What was said in this Init phase, for those who subscribe in it.
    backlog: Option<Vec<Entry>>,
    deliveries: JoinSet<()>,
    /// The environment is kept awake until subscribers have everything.
    flushing: bool,
    /// The body of the Invoke event.
    invocation: String,
    /// How the extension that failed ended.
    ended: Option<String>,
}

struct Subscriber {
    number: ExtensionNumber,
    queue: Arc<Queue>,
}

impl Extensions {
    pub(super) fn of(names: &[String]) -> Self {
        let (sender, receiver) = mpsc::channel(LINES_WAITING);
        Self {
            registry: Registry::of(names),
            epoch: 0,
            parked: Default::default(),
            sender,
            receiver,
            pumps: JoinSet::new(),
            subscribers: Vec::new(),
            backlog: None,
            deliveries: JoinSet::new(),
            flushing: false,
            invocation: String::new(),
            ended: None,
        }
    }

    pub(super) fn external(&self) -> ExtensionSet {
        self.registry.external()
    }

    /// An Init phase begins.
    pub(super) fn begin(&mut self) {
        self.backlog = Some(Vec::new());
        self.ended = None;
    }

    /// The processes are gone.
    pub(super) fn restart(&mut self) {
        self.epoch += 1;
        self.registry.restart();
        self.parked = Default::default();
        self.subscribers.clear();
        self.deliveries = JoinSet::new();
        self.flushing = false;
    }

    /// What failed extensions ended with, for the caller's error.
    pub(super) fn how_it_ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Tells subscribers what the platform says. Without one nothing is formatted.
    pub(super) fn tell(&mut self, at: Timestamp, record: impl FnOnce() -> (&'static str, Value)) {
        if self.backlog.is_some() || !self.subscribers.is_empty() {
            let (kind, record) = record();
            self.publish(Entry { at, content: Content::Platform(kind, record) });
        }
    }

    /// Tells subscribers what the function prints.
    pub(super) fn tell_line(&mut self, at: Timestamp, json: bool, line: &str) {
        if self.backlog.is_some() || !self.subscribers.is_empty() {
            let content = Content::Line(Origin::Function { json }, line.to_owned());
            self.publish(Entry { at, content });
        }
    }

    fn publish(&mut self, entry: Entry) {
        for subscriber in &self.subscribers {
            subscriber.queue.push(&entry);
        }
        if let Some(backlog) = self.backlog.as_mut().filter(|backlog| backlog.len() < BACKLOG_MAX) {
            backlog.push(entry);
        }
    }

    /// Has what waits sent out; whether there is something to wait for before the environment is frozen.
    pub(super) fn flush_before_rest(&mut self) -> bool {
        // The second time it has been waited for.
        self.flushing = !std::mem::take(&mut self.flushing) && !self.flush();
        self.flushing
    }

    /// There is an invocation: nobody waits for a rest.
    pub(super) fn stay_awake(&mut self) {
        self.flushing = false;
    }

    /// Has what waits sent out; whether nothing does.
    fn flush(&self) -> bool {
        self.subscribers.iter().for_each(|subscriber| subscriber.queue.flush());
        self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.subscribers.iter().all(|subscriber| subscriber.queue.is_idle())
    }

    /// What extensions will be told of the invocation.
    pub(super) fn prepare(&mut self, invocation: &Invocation, trace: &str, deadline: Timestamp) {
        let event = json!({
            "eventType": "INVOKE",
            "deadlineMs": deadline.epoch_ms(),
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": trace },
        });
        self.invocation = event.to_string();
    }

    fn send(&mut self, to: ExtensionSet, event: &str) {
        for number in to.iter() {
            if let Some(reply) = self.parked[usize::from(number)].take() {
                // A connection that closed in this moment is an extension that asks again, or ends.
                let _ = reply.send(Ok(ExtensionEvent(event.to_owned())));
            }
        }
    }

    fn subscribe(
        &mut self,
        number: ExtensionNumber,
        subscription: Subscription,
        dialer: Dialer,
        clock: Arc<dyn Clock>,
    ) {
        let queue = Arc::new(Queue::new(subscription));
        for entry in self.backlog.iter().flatten() {
            queue.push(entry);
        }
        // The same extension subscribes anew: what it was owed it has in its new subscription.
        self.subscribers.retain(|subscriber| subscriber.number != number);
        let heard = self.sender.clone();
        let delivered = move || drop(heard.try_send(Heard::Delivered));
        let delivery = telemetry::deliver(Arc::clone(&queue), dialer, clock, delivered);
        self.deliveries.spawn(delivery);
        self.subscribers.push(Subscriber { number, queue });
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        if let Poll::Ready(Some(heard)) = self.receiver.poll_recv(context) {
            return Poll::Ready(heard);
        }
        for (number, parked) in (0..).zip(&mut self.parked) {
            if parked.as_mut().is_some_and(|reply| reply.poll_closed(context).is_ready()) {
                *parked = None;
                return Poll::Ready(Heard::Dropped(number));
            }
        }
        Poll::Pending
    }
}

/// Waits for something to happen to extensions; for ever where there are none.
pub(super) async fn hear(extensions: &mut Option<Box<Extensions>>) -> Heard {
    match extensions {
        Some(extensions) => std::future::poll_fn(|context| extensions.poll(context)).await,
        None => std::future::pending().await,
    }
}

/// Carries what a process prints, and then its end.
async fn pump(number: ExtensionNumber, epoch: u64, process: Process, heard: mpsc::Sender<Heard>) {
    let Process { stdout, stderr, mut exited, signal: _ } = process;
    let (mut stdout, mut stderr) = (Output::new(stdout, false), Output::new(stderr, false));
    let (mut buffer, mut lines) = (Vec::new(), Vec::new());
    loop {
        let exit = tokio::select! {
            exit = &mut exited => Some(exit),
            () = stdout.readable() => { stdout.read(&mut buffer, |line| lines.push(line)); None }
            () = stderr.readable() => { stderr.read(&mut buffer, |line| lines.push(line)); None }
        };
        if exit.is_some() {
            stdout.drain(&mut buffer, |line| lines.push(line));
            stderr.drain(&mut buffer, |line| lines.push(line));
        }
        for line in lines.drain(..) {
            if heard.send(Heard::Line(line)).await.is_err() {
                return;
            }
        }
        if let Some(exit) = exit {
            // The environment may have gone.
            let _ = heard.send(Heard::Exited { number, epoch, exit }).await;
            return;
        }
    }
}

impl Environment {
    /// Starts every external extension, without waiting for one before the next.
    pub(super) async fn start_extensions(&mut self) {
        if let Err(error) = self.begin_init() {
            let failure = self.note_start_error(error);
            return self.follow_ups.push_back(Event::StartFailed(failure));
        }
        let variables = self.variables(runtimes::of_extension);
        let (Some(cell), Some(extensions)) = (&self.cell, &mut self.extensions) else { return };
        // Those of former processes have ended with them.
        while extensions.pumps.try_join_next().is_some() {}
        for (number, name) in (0..).zip(extensions.registry.external_names()) {
            let launched = if usize::from(number) < limits::EXTENSIONS_MAX {
                in_time("start an extension", cell.start_extension(&name, variables.clone())).await
            } else {
                let why = format!("more than {} extensions", limits::EXTENSIONS_MAX);
                Err(LaunchError { kind: "TooManyExtensions", why })
            };
            match launched {
                Ok(process) => {
                    let heard = extensions.sender.clone();
                    extensions.pumps.spawn(pump(number, extensions.epoch, process, heard));
                }
                Err(error) => {
                    extensions.registry.fail(number, "LaunchError", error.kind);
                    extensions.ended = Some(error.why);
                    return self.follow_ups.push_back(Event::ExtensionLaunchFailed(number));
                }
            }
        }
    }

    pub(super) async fn extension_call(&mut self, call: ExtensionCall) {
        if self.extensions.is_none() {
            // An internal extension.
            self.extensions = Some(Box::new(Extensions::of(&[])));
            self.tell_init_start();
        }
        let Some(extensions) = &mut self.extensions else { return };
        let registry = &mut extensions.registry;
        let (event, waiting) = match call {
            ExtensionCall::Register { registration, reply } => match registry.place(&registration) {
                Err(refused) => return drop(reply.send(Err(refused))),
                Ok(number) => {
                    let (invoke, shutdown) = (registration.invoke, registration.shutdown);
                    let events = Subscriptions { invoke, shutdown };
                    (
                        Event::ExtensionRegistered(number, events),
                        Waiting::Register(number, registration, reply),
                    )
                }
            },
            ExtensionCall::Next { identifier, reply } => match registry.find(identifier) {
                Err(refused) => return drop(reply.send(Err(refused))),
                Ok(number) => (Event::ExtensionNext(number), Waiting::Next(number, reply)),
            },
            ExtensionCall::Failed { identifier, in_init, error_type, reply } => {
                match registry.find(identifier) {
                    Err(refused) => return drop(reply.send(Err(refused))),
                    Ok(number) => {
                        let (state, event) = match in_init {
                            true => ("InitError", Event::ExtensionInitError(number)),
                            false => ("ExitError", Event::ExtensionExitError(number)),
                        };
                        registry.fail(number, state, &error_type);
                        (event, Waiting::Failed(number, reply))
                    }
                }
            }
            ExtensionCall::Subscribe { identifier, subscription, reply } => match registry.find(identifier) {
                Err(refused) => return drop(reply.send(Err(refused))),
                Ok(number) => {
                    let other = extensions.subscribers.iter().any(|subscriber| {
                        subscriber.number == number && subscriber.queue.subscription().api != subscription.api
                    });
                    if other {
                        return drop(reply.send(Err(Refused::other_api())));
                    }
                    (Event::Subscribe, Waiting::Subscribe(number, Box::new(subscription), reply))
                }
            },
        };
        self.call = Some(Reply::Extension(waiting));
        self.feed(event).await;
    }

    /// What was decided about an extension's call. One that waits is parked instead.
    pub(super) fn reply_to_extension(&mut self, waiting: Waiting, decision: Result<(), Refusal>) {
        let Some(extensions) = &mut self.extensions else { return };
        let refused = |registry: &Registry, number, refusal| Refused::of(refusal, registry.name(number));
        match (waiting, decision) {
            (Waiting::Register(number, registration, reply), Ok(())) => {
                let registered = self.registered(number, &registration);
                let _ = reply.send(Ok(registered));
            }
            (Waiting::Register(number, registration, reply), Err(refusal)) => {
                let name = match extensions.registry.name(number) {
                    "" => &registration.name,
                    known => known,
                };
                let _ = reply.send(Err(Refused::of(refusal, name)));
            }
            (Waiting::Failed(_, reply), Ok(())) => drop(reply.send(Ok(()))),
            (Waiting::Failed(number, reply), Err(refusal)) => {
                let _ = reply.send(Err(refused(&extensions.registry, number, refusal)));
            }
            (Waiting::Subscribe(number, subscription, reply), Ok(())) => {
                self.subscribed(number, *subscription);
                let _ = reply.send(Ok(()));
            }
            (Waiting::Subscribe(_, subscription, reply), Err(_)) => {
                let _ = reply.send(Err(Refused::subscription_closed(subscription.api)));
            }
            (Waiting::Next(number, reply), Err(refusal)) => {
                let _ = reply.send(Err(refused(&extensions.registry, number, refusal)));
            }
            (Waiting::Next(..), Ok(())) => {}
        }
    }

    fn registered(&mut self, number: ExtensionNumber, registration: &Registration) -> Registered {
        let version = &self.pool.version;
        let mut body = json!({
            "functionName": version.name.as_str(),
            "functionVersion": version.version.to_string(),
            "handler": version.handler,
        });
        if registration.account_id {
            body["accountId"] = json!(version.scope.account.to_string());
        }
        let identifier = match &mut self.extensions {
            Some(extensions) => extensions.registry.register(number, registration),
            None => uuid::Uuid::nil(),
        };
        Registered { identifier, body: body.to_string() }
    }

    fn subscribed(&mut self, number: ExtensionNumber, subscription: Subscription) {
        let Some(dialer) = self.cell.as_ref().map(|cell| cell.dialer()) else { return };
        let Some(extensions) = &mut self.extensions else { return };
        let (api, kinds) = (subscription.api, subscription.kinds.clone());
        let name = extensions.registry.name(number).to_owned();
        extensions.subscribe(number, subscription, dialer, Arc::clone(&self.engine.options.clock));
        self.say(Said::Subscribed { name: &name, api, kinds: &kinds });
    }

    pub(super) fn park_extension(&mut self, number: ExtensionNumber) {
        if let (Some(Reply::Extension(Waiting::Next(_, reply))), Some(extensions)) =
            (self.call.take(), &mut self.extensions)
        {
            extensions.parked[usize::from(number)] = Some(reply);
        }
    }

    pub(super) fn announce(&mut self, to: ExtensionSet) {
        self.begin_invocation();
        if let Some(extensions) = &mut self.extensions {
            let event = std::mem::take(&mut extensions.invocation);
            extensions.send(to, &event);
            extensions.invocation = event;
        }
    }

    pub(super) fn announce_end(&mut self, to: ExtensionSet, reason: ShutdownReason) {
        let now = Instant::now();
        let until = *self.shutdown_until.get_or_insert(now + limits::SHUTDOWN_EXTERNAL);
        self.deadlines.set(Due::Shutdown, until);
        // Extensions compare it with the machine's clock.
        let deadline = SystemClock.now().plus(until.saturating_duration_since(now));
        let reason = match reason {
            ShutdownReason::Spindown => "spindown",
            ShutdownReason::Timeout => "timeout",
            ShutdownReason::Failure => "failure",
        };
        if let Some(extensions) = &mut self.extensions {
            let event = json!({ "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline.epoch_ms() });
            extensions.send(to, &event.to_string());
            extensions.flush();
        }
    }

    pub(super) async fn heard(&mut self, heard: Heard) {
        let Some(extensions) = &mut self.extensions else { return };
        match heard {
            Heard::Line(line) => self.extension_line(line),
            Heard::Exited { number, epoch, exit } if epoch == extensions.epoch => {
                extensions.ended = Some(outcome::extension_end(exit));
                extensions.parked[usize::from(number)] = None;
                extensions.registry.fail(number, "Exited", "Extension.Crash");
                self.feed(Event::ExtensionExited(number)).await;
            }
            Heard::Exited { .. } => {}
            Heard::Dropped(number) => self.feed(Event::ExtensionNextDropped(number)).await,
            Heard::Delivered if extensions.flushing && extensions.is_idle() => {
                extensions.flushing = false;
                self.deadlines.clear(Due::Rest);
                self.feed(Event::Rested).await;
            }
            Heard::Delivered => {}
        }
    }

    fn extension_line(&mut self, line: String) {
        if let Some(extensions) = &mut self.extensions
            && (extensions.backlog.is_some() || !extensions.subscribers.is_empty())
        {
            let content = Content::Line(Origin::Extension, line.clone());
            extensions.publish(Entry { at: self.journal.now(), content });
        }
        self.journal.write(line);
    }

    /// How each extension stands at the end of an Init phase.
    pub(super) fn say_extensions(&mut self) {
        let Some(extensions) = &self.extensions else { return };
        let numbers: Vec<ExtensionNumber> = extensions.registry.numbers().collect();
        for number in numbers {
            let Some(extensions) = &self.extensions else { return };
            let registry = &extensions.registry;
            let (name, events) = (registry.name(number).to_owned(), registry.events(number).to_vec());
            let failure = registry.failure(number).cloned();
            let (state, error_type) = match &failure {
                Some((state, error_type)) => (*state, Some(error_type.as_str())),
                None => (self.state.extension_state(number), None),
            };
            self.say(Said::Extension { name: &name, state, events: &events, error_type });
        }
    }

    /// Nobody subscribes any more: what was kept for them goes.
    pub(super) fn close_subscriptions(&mut self) {
        if let Some(extensions) = &mut self.extensions {
            extensions.backlog = None;
        }
    }

    /// What extensions printed last: their processes are gone.
    pub(super) async fn farewell(&mut self) {
        let Some(mut extensions) = self.extensions.take() else { return };
        let until = Instant::now() + FAREWELL;
        let mut lines = Vec::new();
        let last = async {
            loop {
                tokio::select! {
                    biased;
                    Some(heard) = extensions.receiver.recv() => {
                        if let Heard::Line(line) = heard {
                            lines.push(line);
                        }
                    }
                    ended = extensions.pumps.join_next() => if ended.is_none() { return },
                }
            }
        };
        // A process that holds on to its pipes does not hold up the end.
        let _ = tokio::time::timeout_at(until, last).await;
        lines.into_iter().for_each(|line| self.journal.write(line));
    }
}

impl From<Fault> for LaunchError {
    fn from(fault: Fault) -> Self {
        Self { kind: "UnknownError", why: fault.0 }
    }
}
