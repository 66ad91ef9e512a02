//! The life of an execution environment, decided purely: `State::on(event) -> (State, Vec<Action>)`.
//!
//! No clock, no I/O, no payloads: [`super::task`] turns what happens into events and performs the actions in order.
//! A call of the runtime is answered by exactly one of [`Action::Park`], [`Action::Stream`], [`Action::Accept`] and
//! [`Action::Refuse`].

use uuid::Uuid;

/// Where an environment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    phase: Phase,
    /// The environment stops as soon as it is free.
    retiring: bool,
}

/// What an environment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The Init phase: the runtime starts, for nobody in particular.
    Starting,
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
        /// The runtime has asked for events before.
        initialised: bool,
    },
    /// The runtime has the event.
    Running {
        /// The invocation.
        id: Uuid,
        /// It has begun a response that the caller sees as it comes.
        streaming: bool,
    },
    /// The invocation is answered; the runtime has yet to ask for another.
    Responded {
        /// The invocation.
        id: Uuid,
    },
    /// The processes are being killed; `/tmp` stays.
    Resetting {
        /// An invocation that was assigned meanwhile.
        pending: Option<Uuid>,
        /// Placement already counts on this environment.
        offered: bool,
    },
    /// The cell is being destroyed.
    Stopping,
    /// Nothing is left.
    Stopped,
}

/// What happens to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
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
    /// There is no program to start.
    InvalidEntrypoint,
}

/// A call that the runtime may not make now.
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
}

/// What the task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the runtime inside the invocation, at the speed of an Init phase.
    Start,
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
    /// From the speed of the Init phase to the function's share.
    LimitCpu,
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

impl State {
    /// An environment that has just been asked for.
    pub fn new() -> Self {
        Self { phase: Phase::Starting, retiring: false }
    }

    /// What it is doing.
    pub fn phase(self) -> Phase {
        self.phase
    }

    /// The invocation it has, answered or not.
    pub fn invocation(self) -> Option<Uuid> {
        match self.phase {
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } | Phase::Responded { id } => Some(id),
            Phase::Resetting { pending, .. } => pending,
            Phase::Starting | Phase::Vacant | Phase::Idle { .. } | Phase::Stopping | Phase::Stopped => None,
        }
    }

    /// Decides what follows from an event.
    pub fn on(self, event: Event) -> (Self, Vec<Action>) {
        match event {
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
        const PARKED: Phase = Phase::Idle { parked: true, frozen: false };
        match self.phase {
            Phase::Starting => self
                .free(PARKED, vec![Action::Park, Action::ReportInit(InitResult::Success), Action::LimitCpu]),
            Phase::Responded { .. } => self.free(PARKED, vec![Action::Park, Action::Settle]),
            Phase::Awaiting { id, initialised } => {
                let mut actions = vec![Action::Park, Action::Deliver(id)];
                if !initialised {
                    actions.push(Action::LimitCpu);
                }
                (self.to(Phase::Running { id, streaming: false }), actions)
            }
            // Placement already has it in its list; only the call had gone.
            Phase::Idle { parked: false, .. } => (self.to(PARKED), vec![Action::Park]),
            _ => (self, vec![self.wrong_state("Ready")]),
        }
    }

    fn next_dropped(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { parked: true, frozen } => {
                let thaw = if frozen { vec![Action::Thaw] } else { vec![] };
                (self.to(Phase::Idle { parked: false, frozen: false }), thaw)
            }
            // The event went to a connection that was already closing: the runtime asks again, or it dies.
            Phase::Running { id, streaming: false } => {
                (self.to(Phase::Awaiting { id, initialised: true }), vec![])
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
            Phase::Responded { id } if posted == Some(id) => (self, vec![self.wrong_state(to)]),
            Phase::Starting => (self, vec![self.wrong_state(to)]),
            _ => (self, vec![Action::Refuse(Refusal::InvalidRequestId)]),
        }
    }

    fn respond(self, id: Uuid, answer: Answer) -> (Self, Vec<Action>) {
        let reply = match answer {
            Answer::Success | Answer::Error | Answer::Truncated => Action::Accept,
            Answer::TooLarge => Action::Refuse(Refusal::TooLarge),
            Answer::InvalidMode => Action::Refuse(Refusal::InvalidMode),
        };
        (self.to(Phase::Responded { id }), vec![reply, Action::Answer(id, Verdict::Answered(answer))])
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
            Phase::Starting => self.reset(vec![Action::Accept, Action::ReportInit(InitResult::Error)]),
            Phase::Awaiting { id, initialised: false } => {
                self.reset(vec![Action::Accept, Action::Answer(id, Verdict::InitError), Action::Settle])
            }
            _ => (self, vec![self.wrong_state("InitError")]),
        }
    }

    fn assigned(self, id: Uuid) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { parked: true, frozen } => {
                let mut actions = if frozen { vec![Action::Thaw] } else { vec![] };
                actions.push(Action::Deliver(id));
                (self.to(Phase::Running { id, streaming: false }), actions)
            }
            Phase::Idle { parked: false, .. } => (self.to(Phase::Awaiting { id, initialised: true }), vec![]),
            Phase::Vacant => (self.to(Phase::Awaiting { id, initialised: false }), vec![Action::Start]),
            Phase::Resetting { pending: None, .. } => {
                (self.to(Phase::Resetting { pending: Some(id), offered: true }), vec![])
            }
            // Placement assigns only to environments that offered themselves; whatever comes here must not be lost.
            _ => (self, vec![Action::Answer(id, Verdict::Broken)]),
        }
    }

    fn start_failed(self, failure: StartFailure) -> (Self, Vec<Action>) {
        match (self.phase, failure) {
            (Phase::Starting, StartFailure::Machine) => {
                (self.to(Phase::Stopping), vec![Action::Abandon, Action::Destroy])
            }
            (Phase::Starting, StartFailure::Entrypoint) => {
                self.free(Phase::Vacant, vec![Action::ReportInit(InitResult::InvalidEntrypoint)])
            }
            (Phase::Awaiting { id, .. }, StartFailure::Entrypoint) => {
                self.free(Phase::Vacant, vec![Action::Answer(id, Verdict::InvalidEntrypoint), Action::Settle])
            }
            (_, StartFailure::Machine) => self.ended(Verdict::Broken),
            _ => (self, vec![]),
        }
    }

    fn exited(self, death: Death) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting => self.reset(vec![Action::ReportInit(InitResult::Died(death))]),
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } => {
                self.reset(vec![Action::Answer(id, Verdict::Died(death)), Action::Settle])
            }
            Phase::Responded { .. } => self.reset(vec![Action::Settle]),
            Phase::Idle { frozen, .. } => {
                let mut actions = if frozen { vec![Action::Thaw] } else { vec![] };
                actions.push(Action::Kill);
                (self.to(Phase::Resetting { pending: None, offered: true }), actions)
            }
            _ => (self, vec![]),
        }
    }

    fn init_timed_out(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting => self.reset(vec![Action::ReportInit(InitResult::TimedOut)]),
            _ => (self, vec![]),
        }
    }

    fn timed_out(self, late: Uuid) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } if id == late => {
                self.reset(vec![Action::Answer(id, Verdict::TimedOut), Action::Settle])
            }
            // The function's time covers everything until the runtime asks for the next event.
            Phase::Responded { id } if id == late => self.reset(vec![Action::Settle]),
            Phase::Resetting { pending: Some(id), .. } if id == late => (
                self.to(Phase::Resetting { pending: None, offered: false }),
                vec![Action::Answer(id, Verdict::TimedOut), Action::Settle],
            ),
            _ => (self, vec![]),
        }
    }

    fn killed(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Resetting { pending: Some(id), .. } => {
                (self.to(Phase::Awaiting { id, initialised: false }), vec![Action::Start])
            }
            Phase::Resetting { pending: None, offered: true } if !self.retiring => {
                (self.to(Phase::Vacant), vec![])
            }
            Phase::Resetting { pending: None, .. } => self.free(Phase::Vacant, vec![]),
            _ => (self, vec![]),
        }
    }

    fn retire(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { .. } | Phase::Vacant => {
                (self.to(Phase::Stopping), vec![Action::Leave, Action::Destroy])
            }
            Phase::Stopping | Phase::Stopped => (self, vec![]),
            _ => (Self { retiring: true, ..self }, vec![]),
        }
    }

    fn destroyed(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Stopping => (self.to(Phase::Stopped), vec![]),
            _ => (self, vec![]),
        }
    }

    /// Everything stops now; an invocation that has no answer yet gets this one.
    fn ended(self, verdict: Verdict) -> (Self, Vec<Action>) {
        let mut actions = match self.phase {
            Phase::Stopping | Phase::Stopped => return (self, vec![]),
            Phase::Awaiting { id, .. }
            | Phase::Running { id, .. }
            | Phase::Resetting { pending: Some(id), .. } => {
                vec![Action::Answer(id, verdict), Action::Settle]
            }
            Phase::Responded { .. } => vec![Action::Settle],
            _ => vec![],
        };
        actions.extend([Action::Leave, Action::Destroy]);
        (self.to(Phase::Stopping), actions)
    }

    /// The environment is free, in `phase`, after `actions`.
    fn free(self, phase: Phase, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        if self.retiring {
            actions.extend([Action::Leave, Action::Destroy]);
            return (self.to(Phase::Stopping), actions);
        }
        actions.push(Action::Offer);
        (self.to(phase), actions)
    }

    /// The processes go, the cell stays.
    fn reset(self, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        actions.push(Action::Kill);
        (self.to(Phase::Resetting { pending: None, offered: false }), actions)
    }

    fn wrong_state(self, to: &'static str) -> Action {
        let from = match self.phase {
            Phase::Starting | Phase::Awaiting { .. } => "Started",
            Phase::Idle { .. } => "Ready",
            Phase::Running { .. } => "Running",
            Phase::Responded { .. } => "ResponseSent",
            Phase::Vacant | Phase::Resetting { .. } | Phase::Stopping | Phase::Stopped => "Exited",
        };
        Action::Refuse(Refusal::InvalidStateTransition { from, to })
    }
}

#[cfg(test)]
mod tests;
