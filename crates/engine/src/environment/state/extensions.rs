//! The extensions of an environment, as far as decisions depend on them: who they are to each other, not what they are
//! called.
//!
//! Extensions are known by small numbers, at most [`EXTENSIONS_MAX`] of them, so that a state stays a few bytes that
//! are copied. Names, identifiers and processes are the task's.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

use domain::limits::EXTENSIONS_MAX;

use super::{Action, Boot, InitResult, Phase, Refusal, ShutdownReason, State, Verdict};

/// An extension's number, below [`EXTENSIONS_MAX`].
pub type ExtensionNumber = u8;

/// Some of an environment's extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionSet(u16);

impl ExtensionSet {
    /// The first `count` of them.
    pub fn first(count: usize) -> Self {
        (0..count.min(EXTENSIONS_MAX)).fold(Self::default(), |set, number| {
            set.with(ExtensionNumber::try_from(number).expect("there are few"))
        })
    }

    /// This one alone.
    pub fn only(number: ExtensionNumber) -> Self {
        Self::default().with(number)
    }

    /// Whether it is among them.
    pub fn contains(self, number: ExtensionNumber) -> bool {
        self.0 & Self::only(number).0 != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = ExtensionNumber> {
        (0..ExtensionNumber::try_from(EXTENSIONS_MAX).expect("there are few"))
            .filter(move |number| self.contains(*number))
    }

    pub(super) fn with(self, number: ExtensionNumber) -> Self {
        Self(self.0 | 1_u16.checked_shl(u32::from(number)).unwrap_or_default())
    }

    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    pub(super) fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn minus(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// Which events an extension wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// News of each invocation; the environment is free only when the extension has asked for the next event.
    pub invoke: bool,
    /// News of the end. Only extensions with a process of their own get them.
    pub shutdown: bool,
}

/// How an extension failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionFailure {
    /// It could not be started.
    Launch,
    /// It reported that it could not start.
    Init,
    /// It reported an error and was about to exit.
    Exit,
    /// Its process ended, and was not asked to.
    Crash,
}

/// How the extensions of an environment stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Those with a process of their own, found in a layer.
    pub(super) external: ExtensionSet,
    pub(super) registered: ExtensionSet,
    pub(super) invoke: ExtensionSet,
    pub(super) shutdown: ExtensionSet,
    /// Have asked for events before.
    pub(super) polled: ExtensionSet,
    /// Have nothing left to do until the next event.
    pub(super) done: ExtensionSet,
    /// Their calls wait.
    pub(super) parked: ExtensionSet,
    /// Get the event at hand as soon as they ask.
    pub(super) owed: ExtensionSet,
    pub(super) exited: ExtensionSet,
}

impl Extensions {
    /// Whether every external extension has registered.
    pub(super) fn are_registered(self) -> bool {
        self.external.minus(self.registered).is_empty()
    }

    /// Whether every extension has asked for its next event.
    pub(super) fn are_done(self) -> bool {
        self.registered.minus(self.done).minus(self.exited).is_empty()
    }

    /// Whether an extension takes part in the end of the environment.
    pub(super) fn are_there(self) -> bool {
        !self.registered.is_empty()
    }

    /// Whether one of them has a process that the runtime's end does not end.
    pub(super) fn have_processes(self) -> bool {
        !self.external.minus(self.exited).is_empty()
    }

    /// Those that are told of the end and have not ended.
    pub(super) fn mourners(self) -> ExtensionSet {
        self.external.and(self.registered).and(self.shutdown).minus(self.exited)
    }

    /// The processes are gone and will be started again.
    pub(super) fn restart(&mut self) {
        *self = Self { external: self.external, ..Self::default() };
    }

    /// What an Init phase begins with.
    pub(super) fn first_step(self) -> (Boot, Action) {
        if self.external.is_empty() {
            (Boot::Runtime, Action::Start)
        } else {
            (Boot::Extensions, Action::StartExtensions)
        }
    }

    /// News of an invocation, for those whose calls wait. The others get them when they ask.
    pub(super) fn announce(&mut self) -> Option<Action> {
        let to = self.invoke.minus(self.exited);
        let now = self.hand_out(to);
        self.done = self.done.minus(to);
        (!now.is_empty()).then_some(Action::Announce(now))
    }

    /// News of the end.
    pub(super) fn announce_end(&mut self, reason: ShutdownReason) -> Action {
        self.owed = ExtensionSet::default();
        let now = self.hand_out(self.mourners());
        Action::Shutdown(now, reason)
    }

    fn hand_out(&mut self, to: ExtensionSet) -> ExtensionSet {
        let now = to.and(self.parked);
        self.parked = self.parked.minus(now);
        self.owed = self.owed.or(to.minus(now));
        now
    }

    /// Its state's name in AWS's messages.
    fn state_name(self, number: ExtensionNumber) -> &'static str {
        if self.exited.contains(number) {
            "Exited"
        } else if self.parked.contains(number) {
            "Ready"
        } else if self.polled.contains(number) {
            "Running"
        } else if self.registered.contains(number) {
            "Registered"
        } else {
            "Started"
        }
    }

    fn refuse(self, number: ExtensionNumber, to: &'static str) -> Action {
        Action::Refuse(Refusal::InvalidExtensionState { from: self.state_name(number), to })
    }
}

impl State {
    /// The name of an extension's state, as AWS prints it.
    pub fn extension_state(self, number: ExtensionNumber) -> &'static str {
        self.extensions.state_name(number)
    }

    /// Those that want news of invocations.
    pub fn has_invoke_extensions(self) -> bool {
        !self.extensions.invoke.is_empty()
    }

    pub(super) fn acquired(mut self, external: ExtensionSet) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { boot: Boot::Extensions } => {
                self.extensions.external = external;
                let (boot, action) = self.extensions.first_step();
                (self.to(Phase::Starting { boot }), vec![action])
            }
            _ => (self, vec![]),
        }
    }

    fn boot_now(self) -> Boot {
        match self.phase {
            Phase::Starting { boot } | Phase::Awaiting { boot, .. } => boot,
            _ => Boot::Done,
        }
    }

    pub(super) fn extension_registered(
        mut self,
        number: ExtensionNumber,
        events: Subscriptions,
    ) -> (Self, Vec<Action>) {
        let extensions = &mut self.extensions;
        if extensions.registered.contains(number) || extensions.exited.contains(number) {
            return (self, vec![self.extensions.refuse(number, "Registered")]);
        }
        if !matches!(self.boot_now(), Boot::Extensions | Boot::Runtime) {
            return (self, vec![Action::Refuse(Refusal::RegistrationClosed)]);
        }
        let extensions = &mut self.extensions;
        extensions.registered = extensions.registered.with(number);
        if events.invoke {
            extensions.invoke = extensions.invoke.with(number);
        }
        if events.shutdown {
            extensions.shutdown = extensions.shutdown.with(number);
        }
        self.advance(vec![Action::Accept])
    }

    pub(super) fn extension_next(mut self, number: ExtensionNumber) -> (Self, Vec<Action>) {
        let (alone, extensions) = (ExtensionSet::only(number), &mut self.extensions);
        let waits = extensions.parked.contains(number)
            || extensions.exited.contains(number)
            || !extensions.registered.contains(number);
        let over = matches!(self.phase, Phase::Vacant | Phase::Stopped);
        if waits || over {
            return (self, vec![self.extensions.refuse(number, "Ready")]);
        }
        extensions.polled = extensions.polled.with(number);
        let mut actions = vec![Action::ParkExtension(number)];
        if extensions.owed.contains(number) {
            extensions.owed = extensions.owed.minus(alone);
            let mourners = extensions.mourners();
            match self.closing_reason() {
                Some(reason) if mourners.contains(number) => {
                    actions.push(Action::Shutdown(alone, reason));
                }
                Some(_) => {}
                None => actions.push(Action::Announce(alone)),
            }
            return (self, actions);
        }
        extensions.parked = extensions.parked.with(number);
        extensions.done = extensions.done.with(number);
        self.advance(actions)
    }

    pub(super) fn extension_next_dropped(mut self, number: ExtensionNumber) -> (Self, Vec<Action>) {
        self.extensions.parked = self.extensions.parked.minus(ExtensionSet::only(number));
        (self, vec![])
    }

    pub(super) fn extension_init_error(self, number: ExtensionNumber) -> (Self, Vec<Action>) {
        let extensions = self.extensions;
        let fresh = extensions.registered.contains(number) && !extensions.polled.contains(number);
        if !fresh || extensions.exited.contains(number) || self.boot_now() == Boot::Done {
            return (self, vec![extensions.refuse(number, "InitError")]);
        }
        self.extension_failed(ExtensionFailure::Init, vec![Action::Accept])
    }

    pub(super) fn extension_exit_error(self, number: ExtensionNumber) -> (Self, Vec<Action>) {
        let extensions = self.extensions;
        let over = matches!(self.phase, Phase::Vacant | Phase::Stopped);
        if over || !extensions.registered.contains(number) || extensions.exited.contains(number) {
            return (self, vec![extensions.refuse(number, "ExitError")]);
        }
        self.extension_failed(ExtensionFailure::Exit, vec![Action::Accept])
    }

    pub(super) fn extension_exited(mut self, number: ExtensionNumber) -> (Self, Vec<Action>) {
        let (alone, extensions) = (ExtensionSet::only(number), &mut self.extensions);
        extensions.exited = extensions.exited.with(number);
        extensions.parked = extensions.parked.minus(alone);
        extensions.owed = extensions.owed.minus(alone);
        match self.phase {
            Phase::Resetting { .. } | Phase::Stopping { .. } => self.one_less(),
            _ => self.extension_failed(ExtensionFailure::Crash, vec![]),
        }
    }

    /// An environment whose extension fails is of no use, whatever its runtime does.
    pub(super) fn extension_failed(
        self,
        failure: ExtensionFailure,
        mut actions: Vec<Action>,
    ) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Starting { .. } => {
                actions.push(Action::ReportInit(InitResult::Extension(failure)));
                self.reset(actions, ShutdownReason::Failure)
            }
            Phase::Awaiting { id, .. } | Phase::Running { id, .. } => {
                actions.extend([Action::Answer(id, Verdict::Extension(failure)), Action::Settle]);
                self.reset(actions, ShutdownReason::Failure)
            }
            Phase::Responded { .. } => {
                actions.extend([Action::Amend(Verdict::Extension(failure)), Action::Settle]);
                self.reset(actions, ShutdownReason::Failure)
            }
            Phase::Idle { frozen, .. } => {
                let (state, more) = self.reset_idle(frozen);
                actions.extend(more);
                (state, actions)
            }
            _ => (self, actions),
        }
    }

    pub(super) fn subscribe(self) -> (Self, Vec<Action>) {
        let open = self.boot_now() != Boot::Done;
        (self, vec![if open { Action::Accept } else { Action::Refuse(Refusal::SubscriptionClosed) }])
    }
}
