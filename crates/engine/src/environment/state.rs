//! The life of an execution environment, decided purely: `State::on(event) -> (State, Vec<Action>)`.
//!
//! No clock, no I/O, no payloads: [`super::task`] turns what happens into events and performs the actions in order.
//! A call of the runtime or of an extension is answered by exactly one of [`Action::Park`], [`Action::Stream`],
//! [`Action::Accept`], [`Action::Refuse`] and [`Action::ParkExtension`]. What only extensions change is in
//! [`extensions`]; how everything ends, in [`closing`].

mod closing;
mod extensions;

use uuid::Uuid;

pub use closing::{Grace, ShutdownReason, Stage};
pub use extensions::{ExtensionFailure, ExtensionNumber, ExtensionSet, Extensions, Subscriptions};

/// Where an environment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    phase: Phase,
    /// The environment stops as soon as it is free.
    retiring: bool,
    extensions: Extensions,
}

/// What an environment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The Init phase: extensions and the runtime start, for nobody in particular.
    Starting {
        /// How far they are.
        boot: Boot,
    },
    /// No runtime runs: its start failed, or it was reset. The next invocation starts it ("suppressed init").
    Vacant,
    /// The runtime is up and no invocation is there.
    Idle {
        /// It has asked for an event, and the call waits.
        parked: bool,
        /// Its processes are frozen.
        frozen: bool,
    },
    /// An invocation waits for the runtime to ask for it.
    Awaiting {
        /// The invocation.
        id: Uuid,
        /// How far the Init phase inside the invocation is, if there is one.
        boot: Boot,
    },
    /// The runtime has the event.
    Running {
        /// The invocation.
        id: Uuid,
        /// It has begun a response that the caller sees as it comes.
        streaming: bool,
    },
    /// The invocation is answered; the runtime, or an extension, has yet to ask for another event.
    Responded {
        /// The invocation.
        id: Uuid,
        /// The runtime has asked, and its call waits.
        parked: bool,
    },
    /// The processes are being killed; `/tmp` stays.
    Resetting {
        /// An invocation that was assigned meanwhile.
        pending: Option<Uuid>,
        /// Placement already counts on this environment.
        offered: bool,
        /// How far that is.
        stage: Stage,
    },
    /// Everything ends, the cell last.
    Stopping {
        /// How far that is.
        stage: Stage,
    },
    /// Nothing is left.
    Stopped,
}

/// How far an Init phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// External extensions have yet to register; the runtime starts after them.
    Extensions,
    /// The runtime has started and not asked for an event yet.
    Runtime,
    /// The runtime's first call waits; an extension has yet to make its own.
    Ready,
    /// Done: the runtime has asked for events before.
    Done,
}

/// What happens to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a cell, with these external extensions in its layers.
    Acquired(ExtensionSet),
    /// An extension registers.
    ExtensionRegistered(ExtensionNumber, Subscriptions),
    /// An extension asks for an event.
    ExtensionNext(ExtensionNumber),
    /// The connection of an extension's waiting call closed.
    ExtensionNextDropped(ExtensionNumber),
    /// An extension reports that it could not start.
    ExtensionInitError(ExtensionNumber),
    /// An extension reports that it is about to exit because of an error.
    ExtensionExitError(ExtensionNumber),
    /// An external extension could not be started.
    ExtensionLaunchFailed(ExtensionNumber),
    /// An external extension's process ended.
    ExtensionExited(ExtensionNumber),
    /// An extension subscribes to logs or telemetry.
    Subscribe,
    /// The runtime or the extensions have had their time to end.
    ShutdownDue,
    /// The runtime could not be started.
    StartFailed(StartFailure),
    /// The runtime's process ended.
    Exited(Death),
    /// The processes are gone, as [`Action::Kill`] wanted.
    Killed,
    /// The machine failed the environment: it cannot be used any longer.
    Broken,
    /// The cell is gone, as [`Action::Destroy`] wanted.
    Destroyed,
    /// The runtime asks for an event.
    Next,
    /// The connection of the waiting call closed.
    NextDropped,
    /// The runtime posts the response to an invocation.
    Response(Option<Uuid>, Answer),
    /// The runtime begins a response that the caller wants to see as it comes.
    StreamBegun(Option<Uuid>),
    /// Such a response has ended.
    StreamEnded(Answer),
    /// The runtime reports that it could not start.
    InitError,
    /// Placement hands over an invocation.
    Assigned(Uuid),
    /// Stop as soon as possible without losing an invocation.
    Retire,
    /// Stop now.
    Abort,
    /// The Init phase has lasted too long.
    InitTimedOut,
    /// The invocation has lasted too long.
    TimedOut(Uuid),
    /// The runtime has not asked for the next event within its grace.
    Overdue,
    /// The environment has waited long enough to be frozen.
    Rested,
}

/// Why a runtime did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// The package has no program to start: the function's fault.
    Entrypoint,
    /// The machine's fault.
    Machine,
}

/// How a runtime's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It exited or was killed by a signal.
    Exit,
    /// The kernel killed it at its memory limit.
    OutOfMemory,
}

/// What a runtime posts to end an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Success,
    /// An error object.
    Error,
    /// More than a response may hold.
    TooLarge,
    /// A response in a mode that does not exist.
    InvalidMode,
    /// A streamed response whose connection broke.
    Truncated,
}

/// What an invocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The runtime answered.
    Answered(Answer),
    /// The runtime reported that it could not start, inside the invocation.
    InitError,
    /// The function's time was up.
    TimedOut,
    /// The runtime died.
    Died(Death),
    /// An extension failed, and the environment with it.
    Extension(ExtensionFailure),
    /// There is no program to start.
    InvalidEntrypoint,
    /// The machine failed.
    Broken,
    /// The server stopped before the function ended.
    Aborted,
}

/// How an Init phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitResult {
    /// The runtime asked for an event.
    Success,
    /// It took too long.
    TimedOut,
    /// The runtime reported an error.
    Error,
    /// The runtime died.
    Died(Death),
    /// An extension failed.
    Extension(ExtensionFailure),
    /// There is no program to start.
    InvalidEntrypoint,
}

/// A call that the runtime, or an extension, may not make now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The invocation is not the one at hand.
    InvalidRequestId,
    /// The runtime is in no state for this call.
    InvalidStateTransition {
        /// The state's name in AWS's message.
        from: &'static str,
        /// The call's name in AWS's message.
        to: &'static str,
    },
    /// The response is too large.
    TooLarge,
    /// The response's mode does not exist.
    InvalidMode,
    /// The extension is in no state for this call.
    InvalidExtensionState {
        /// The state's name in AWS's message.
        from: &'static str,
        /// The name of the state that the call leads to.
        to: &'static str,
    },
    /// Extensions register before the runtime asks for its first event.
    RegistrationClosed,
    /// Extensions subscribe during the Init phase.
    SubscriptionClosed,
}

/// What the task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the external extensions, at the speed of an Init phase.
    StartExtensions,
    /// Start the runtime, at the speed of an Init phase.
    Start,
    /// Keep the extension's call for an event waiting.
    ParkExtension(ExtensionNumber),
    /// Give these extensions' waiting calls the invocation.
    Announce(ExtensionSet),
    /// The runtime has done its part of the Init phase or of the invocation; extensions have not.
    RuntimeDone,
    /// The invocation ended otherwise than its answer said.
    Amend(Verdict),
    /// Ask the runtime to end, within its grace.
    Terminate(Grace),
    /// Kill the runtime, not the extensions.
    KillRuntime,
    /// Give these extensions' waiting calls the end of the environment.
    Shutdown(ExtensionSet, ShutdownReason),
    /// Keep the runtime's call for an event waiting.
    Park,
    /// Accept the runtime's call.
    Accept,
    /// Refuse the runtime's call.
    Refuse(Refusal),
    /// Let the response flow to the caller.
    Stream,
    /// Give the event to the waiting call.
    Deliver(Uuid),
    /// Tell the caller, give the permit back.
    Answer(Uuid, Verdict),
    /// The invocation is over in every respect: log END and REPORT if that has not happened.
    Settle,
    /// Log how the Init phase ended.
    ReportInit(InitResult),
    /// Tell the cell that the Init phase is over.
    EndInit,
    /// Tell placement that the environment is free.
    Offer,
    /// Tell placement not to count on the environment for a waiting request.
    Disappoint,
    /// Tell placement that the start failed and nothing will come of it.
    Abandon,
    /// Tell placement that the environment is no more.
    Leave,
    /// Freeze the processes.
    Freeze,
    /// Thaw the processes.
    Thaw,
    /// Kill the processes.
    Kill,
    /// End the cell.
    Destroy,
}

/// The runtime waits for whatever comes.
const PARKED: Phase = Phase::Idle { parked: true, frozen: false };

impl State {
    /// An environment that has just been asked for.
    pub fn new() -> Self {
        let phase = Phase::Starting { boot: Boot::Extensions };
        Self { phase, retiring: false, extensions: Extensions::default() }
    }

    /// What it is doing.
    pub fn phase(self) -> Phase {
        self.phase
    }

    /// The invocation it has, answered or not.
    pub fn invocation(self) -> Option<Uuid> {
        match self.phase {
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } | Phase::Responded { id, .. } => Some(id),
            Phase::Resetting { pending, .. } => pending,
            Phase::Starting { .. }
            | Phase::Vacant
            | Phase::Idle { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => None,
        }
    }

    /// Decides what follows from an event.
    pub fn on(self, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Acquired(external) => self.acquired(external),
            Event::ExtensionRegistered(extension, events) => self.extension_registered(extension, events),
            Event::ExtensionNext(extension) => self.extension_next(extension),
            Event::ExtensionNextDropped(extension) => self.extension_next_dropped(extension),
            Event::ExtensionInitError(extension) => self.extension_init_error(extension),
            Event::ExtensionExitError(extension) => self.extension_exit_error(extension),
            Event::ExtensionLaunchFailed(_) => self.extension_failed(ExtensionFailure::Launch, vec![]),
            Event::ExtensionExited(extension) => self.extension_exited(extension),
            Event::Subscribe => self.subscribe(),
            Event::ShutdownDue => self.shutdown_due(),
            Event::Next => self.next(),
            Event::NextDropped => self.next_dropped(),
            Event::Response(id, answer) => self.response(id, answer),
            Event::StreamBegun(id) => self.stream_begun(id),
            Event::StreamEnded(answer) => self.stream_ended(answer),
            Event::InitError => self.init_error(),
            Event::Assigned(id) => self.assigned(id),
            Event::StartFailed(failure) => self.start_failed(failure),
            Event::Exited(death) => self.exited(death),
            Event::InitTimedOut => self.init_timed_out(),
            Event::TimedOut(id) => self.timed_out(id),
            Event::Killed => self.killed(),
            Event::Broken => self.ended(Verdict::Broken),
            Event::Abort => self.ended(Verdict::Aborted),
            Event::Retire => self.retire(),
            Event::Destroyed => self.destroyed(),
            Event::Overdue => match self.phase {
                Phase::Responded { .. } => (self, vec![Action::Disappoint]),
                _ => (self, vec![]),
            },
            Event::Rested => match self.phase {
                Phase::Idle { parked: true, frozen: false } => {
                    (self.to(Phase::Idle { parked: true, frozen: true }), vec![Action::Freeze])
                }
                _ => (self, vec![]),
            },
        }
    }

    fn to(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    fn next(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { boot: Boot::Runtime } => {
                self.runtime_done(Phase::Starting { boot: Boot::Ready })
            }
            Phase::Awaiting { id, boot: Boot::Runtime } => {
                self.runtime_done(Phase::Awaiting { id, boot: Boot::Ready })
            }
            Phase::Responded { id, parked: false } => {
                self.runtime_done(Phase::Responded { id, parked: true })
            }
            Phase::Awaiting { id, boot: Boot::Done } => {
                (self.to(Phase::Running { id, streaming: false }), vec![Action::Park, Action::Deliver(id)])
            }
            // Placement already has it in its list; only the call had gone.
            Phase::Idle { parked: false, .. } => (self.to(PARKED), vec![Action::Park]),
            _ => (self, vec![self.wrong_state("Ready")]),
        }
    }

    /// The runtime has done its part of `phase`. If that is not all, it is said.
    fn runtime_done(self, phase: Phase) -> (Self, Vec<Action>) {
        let (state, mut actions) = self.to(phase).advance(vec![Action::Park]);
        if state.phase == phase {
            actions.push(Action::RuntimeDone);
        }
        (state, actions)
    }

    /// Goes on as soon as nobody is missing: the runtime after the external extensions, the invocation after the Init
    /// phase, and the next one after this one.
    fn advance(self, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { boot: Boot::Extensions } if self.extensions.are_registered() => {
                actions.push(Action::Start);
                (self.to(Phase::Starting { boot: Boot::Runtime }), actions)
            }
            Phase::Awaiting { id, boot: Boot::Extensions } if self.extensions.are_registered() => {
                actions.push(Action::Start);
                (self.to(Phase::Awaiting { id, boot: Boot::Runtime }), actions)
            }
            Phase::Starting { boot: Boot::Ready } if self.extensions.are_done() => {
                actions.extend([Action::ReportInit(InitResult::Success), Action::EndInit]);
                self.free(PARKED, actions)
            }
            Phase::Awaiting { id, boot: Boot::Ready } if self.extensions.are_done() => {
                let (state, mut actions) = self.deliver(id, actions);
                actions.push(Action::EndInit);
                (state, actions)
            }
            Phase::Responded { parked: true, .. } if self.extensions.are_done() => {
                actions.push(Action::Settle);
                self.free(PARKED, actions)
            }
            _ => (self, actions),
        }
    }

    /// The event goes to the runtime, and news of it to the extensions that want them.
    fn deliver(mut self, id: Uuid, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        actions.push(Action::Deliver(id));
        actions.extend(self.extensions.announce());
        (self.to(Phase::Running { id, streaming: false }), actions)
    }

    fn next_dropped(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { parked: true, frozen } => {
                let thaw = if frozen { vec![Action::Thaw] } else { vec![] };
                (self.to(Phase::Idle { parked: false, frozen: false }), thaw)
            }
            // The event went to a connection that was already closing: the runtime asks again, or it dies.
            Phase::Running { id, streaming: false } => {
                (self.to(Phase::Awaiting { id, boot: Boot::Done }), vec![])
            }
            // An extension still has something to do; the runtime asks again meanwhile.
            Phase::Starting { boot: Boot::Ready } => {
                (self.to(Phase::Starting { boot: Boot::Runtime }), vec![])
            }
            Phase::Awaiting { id, boot: Boot::Ready } => {
                (self.to(Phase::Awaiting { id, boot: Boot::Runtime }), vec![])
            }
            Phase::Responded { id, parked: true } => {
                (self.to(Phase::Responded { id, parked: false }), vec![])
            }
            _ => (self, vec![]),
        }
    }

    fn response(self, posted: Option<Uuid>, answer: Answer) -> (Self, Vec<Action>) {
        let to = if answer == Answer::Error { "InvocationErrorResponse" } else { "InvocationResponse" };
        match self.phase {
            Phase::Running { id, streaming: false } if posted == Some(id) => self.respond(id, answer),
            Phase::Running { id, streaming: true } if posted == Some(id) => {
                (self, vec![self.wrong_state(to)])
            }
            Phase::Responded { id, .. } if posted == Some(id) => (self, vec![self.wrong_state(to)]),
            Phase::Starting { .. } => (self, vec![self.wrong_state(to)]),
            _ => (self, vec![Action::Refuse(Refusal::InvalidRequestId)]),
        }
    }

    fn respond(self, id: Uuid, answer: Answer) -> (Self, Vec<Action>) {
        let reply = match answer {
            Answer::Success | Answer::Error | Answer::Truncated => Action::Accept,
            Answer::TooLarge => Action::Refuse(Refusal::TooLarge),
            Answer::InvalidMode => Action::Refuse(Refusal::InvalidMode),
        };
        let responded = Phase::Responded { id, parked: false };
        (self.to(responded), vec![reply, Action::Answer(id, Verdict::Answered(answer))])
    }

    fn stream_begun(self, posted: Option<Uuid>) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Running { id, streaming: false } if posted == Some(id) => {
                (self.to(Phase::Running { id, streaming: true }), vec![Action::Stream])
            }
            _ => self.response(posted, Answer::Success),
        }
    }

    fn stream_ended(self, answer: Answer) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Running { id, streaming: true } => self.respond(id, answer),
            _ => (self, vec![Action::Refuse(Refusal::InvalidRequestId)]),
        }
    }

    fn init_error(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { boot: Boot::Runtime } => self
                .reset(vec![Action::Accept, Action::ReportInit(InitResult::Error)], ShutdownReason::Failure),
            Phase::Awaiting { id, boot: Boot::Runtime } => self.reset(
                vec![Action::Accept, Action::Answer(id, Verdict::InitError), Action::Settle],
                ShutdownReason::Failure,
            ),
            _ => (self, vec![self.wrong_state("InitError")]),
        }
    }

    fn assigned(mut self, id: Uuid) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { parked: true, frozen } => {
                self.deliver(id, if frozen { vec![Action::Thaw] } else { vec![] })
            }
            Phase::Idle { parked: false, .. } => {
                let actions = self.extensions.announce().into_iter().collect();
                (self.to(Phase::Awaiting { id, boot: Boot::Done }), actions)
            }
            Phase::Vacant => self.boot(id),
            Phase::Resetting { pending: None, stage, .. } => {
                // Who waits for an invocation is not kept waiting by extensions that take their leave.
                let actions = if stage == Stage::Ending { vec![] } else { vec![Action::Kill] };
                let resetting = Phase::Resetting { pending: Some(id), offered: true, stage: Stage::Ending };
                (self.to(resetting), actions)
            }
            // Placement assigns only to environments that offered themselves; whatever comes here must not be lost.
            _ => (self, vec![Action::Answer(id, Verdict::Broken)]),
        }
    }

    /// Starts everything afresh, inside the invocation.
    fn boot(mut self, id: Uuid) -> (Self, Vec<Action>) {
        self.extensions.restart();
        let (boot, action) = self.extensions.first_step();
        (self.to(Phase::Awaiting { id, boot }), vec![action])
    }

    fn start_failed(self, failure: StartFailure) -> (Self, Vec<Action>) {
        let vacate = |actions| {
            if self.extensions.have_processes() {
                return self.reset(actions, ShutdownReason::Failure);
            }
            self.free(Phase::Vacant, actions)
        };
        match (self.phase, failure) {
            (Phase::Starting { .. }, StartFailure::Machine) => {
                (self.to(Phase::Stopping { stage: Stage::Ending }), vec![Action::Abandon, Action::Destroy])
            }
            (Phase::Starting { .. }, StartFailure::Entrypoint) => {
                vacate(vec![Action::ReportInit(InitResult::InvalidEntrypoint)])
            }
            (Phase::Awaiting { id, .. }, StartFailure::Entrypoint) => {
                vacate(vec![Action::Answer(id, Verdict::InvalidEntrypoint), Action::Settle])
            }
            (_, StartFailure::Machine) => self.ended(Verdict::Broken),
            _ => (self, vec![]),
        }
    }

    fn exited(self, death: Death) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { .. } => {
                self.reset(vec![Action::ReportInit(InitResult::Died(death))], ShutdownReason::Failure)
            }
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } => self.reset(
                vec![Action::Answer(id, Verdict::Died(death)), Action::Settle],
                ShutdownReason::Failure,
            ),
            Phase::Responded { .. } => self.reset(vec![Action::Settle], ShutdownReason::Failure),
            Phase::Idle { frozen, .. } => self.reset_idle(frozen),
            Phase::Stopping { stage: Stage::Terminating } => self.runtime_gone(vec![]),
            _ => (self, vec![]),
        }
    }

    fn init_timed_out(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { .. } => {
                self.reset(vec![Action::ReportInit(InitResult::TimedOut)], ShutdownReason::Timeout)
            }
            _ => (self, vec![]),
        }
    }

    fn timed_out(self, late: Uuid) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } if id == late => self
                .reset(vec![Action::Answer(id, Verdict::TimedOut), Action::Settle], ShutdownReason::Timeout),
            // The function's time covers everything until the runtime and the extensions ask for the next event.
            Phase::Responded { id, .. } if id == late => {
                self.reset(vec![Action::Amend(Verdict::TimedOut), Action::Settle], ShutdownReason::Timeout)
            }
            Phase::Resetting { pending: Some(id), stage, .. } if id == late => (
                self.to(Phase::Resetting { pending: None, offered: false, stage }),
                vec![Action::Answer(id, Verdict::TimedOut), Action::Settle],
            ),
            _ => (self, vec![]),
        }
    }

    fn killed(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Resetting { pending: Some(id), .. } => self.boot(id),
            Phase::Resetting { pending: None, offered: true, .. } if !self.retiring => {
                (self.to(Phase::Vacant), vec![])
            }
            Phase::Resetting { pending: None, .. } => self.free(Phase::Vacant, vec![]),
            _ => (self, vec![]),
        }
    }

    fn wrong_state(self, to: &'static str) -> Action {
        let from = match self.phase {
            Phase::Starting { .. } | Phase::Awaiting { .. } => "Started",
            Phase::Idle { .. } => "Ready",
            Phase::Running { .. } => "Running",
            Phase::Responded { .. } => "ResponseSent",
            Phase::Vacant | Phase::Resetting { .. } | Phase::Stopping { .. } | Phase::Stopped => "Exited",
        };
        Action::Refuse(Refusal::InvalidStateTransition { from, to })
    }
}

#[cfg(test)]
mod tests;
