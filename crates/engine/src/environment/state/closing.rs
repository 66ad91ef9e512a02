//! How processes end: the runtime first, then the extensions that want to know, then what is left.
//!
//! A reset ends the processes and keeps the cell; a stop ends everything. Without an extension neither takes any time.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>

use super::{Action, Phase, State, Verdict};

/// How far an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The runtime was asked to end.
    Terminating,
    /// The extensions that want to know were told, for this reason.
    ShuttingDown(ShutdownReason),
    /// What is left is being killed, or the cell destroyed.
    Ending,
}

/// Why an environment, or what runs in it, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It is not needed any longer.
    Spindown,
    /// An invocation took too long.
    Timeout,
    /// The runtime or an extension failed.
    Failure,
}

/// How long a runtime has after it was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Extensions with a process of their own are told after it.
    BeforeExternal,
    /// Its extensions are inside it.
    Internal,
}

impl State {
    /// The processes go, the cell stays.
    pub(super) fn reset(self, actions: Vec<Action>, reason: ShutdownReason) -> (Self, Vec<Action>) {
        self.reset_as(false, actions, reason)
    }

    /// Something died while there was no invocation. Placement counts on the environment.
    pub(super) fn reset_idle(self, frozen: bool) -> (Self, Vec<Action>) {
        let actions = if frozen { vec![Action::Thaw] } else { vec![] };
        self.reset_as(true, actions, ShutdownReason::Failure)
    }

    fn reset_as(
        mut self,
        offered: bool,
        mut actions: Vec<Action>,
        reason: ShutdownReason,
    ) -> (Self, Vec<Action>) {
        let stage = if self.extensions.mourners().is_empty() {
            actions.push(Action::Kill);
            Stage::Ending
        } else {
            actions.push(Action::KillRuntime);
            actions.push(self.extensions.announce_end(reason));
            Stage::ShuttingDown(reason)
        };
        (self.to(Phase::Resetting { pending: None, offered, stage }), actions)
    }

    pub(super) fn retire(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Idle { frozen, .. } => self.stop(if frozen { vec![Action::Thaw] } else { vec![] }),
            Phase::Vacant => self.end_now(vec![Action::Leave]),
            Phase::Stopping { .. } | Phase::Stopped => (self, vec![]),
            _ => (Self { retiring: true, ..self }, vec![]),
        }
    }

    /// The environment is free, in `phase`, after `actions`.
    pub(super) fn free(self, phase: Phase, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        match phase {
            _ if !self.retiring => {
                actions.push(Action::Offer);
                (self.to(phase), actions)
            }
            Phase::Idle { .. } => self.stop(actions),
            _ => {
                actions.push(Action::Leave);
                self.end_now(actions)
            }
        }
    }

    /// Placement forgets the environment; extensions get the time that is theirs.
    fn stop(self, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        actions.push(Action::Leave);
        if !self.extensions.are_there() {
            return self.end_now(actions);
        }
        let grace = if self.extensions.have_processes() { Grace::BeforeExternal } else { Grace::Internal };
        actions.push(Action::Terminate(grace));
        (self.to(Phase::Stopping { stage: Stage::Terminating }), actions)
    }

    /// The runtime has ended, or has had its time: now the extensions.
    pub(super) fn runtime_gone(mut self, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        if self.extensions.mourners().is_empty() {
            return self.end_now(actions);
        }
        let reason = ShutdownReason::Spindown;
        actions.push(self.extensions.announce_end(reason));
        (self.to(Phase::Stopping { stage: Stage::ShuttingDown(reason) }), actions)
    }

    pub(super) fn shutdown_due(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Stopping { stage: Stage::Terminating } => self.runtime_gone(vec![Action::KillRuntime]),
            Phase::Stopping { stage: Stage::ShuttingDown(_) } => self.end_now(vec![]),
            Phase::Resetting { pending, offered, stage: Stage::ShuttingDown(_) } => {
                (self.to(Phase::Resetting { pending, offered, stage: Stage::Ending }), vec![Action::Kill])
            }
            _ => (self, vec![]),
        }
    }

    /// An extension has ended as it should.
    pub(super) fn one_less(self) -> (Self, Vec<Action>) {
        if self.extensions.mourners().is_empty() && self.closing_reason().is_some() {
            return self.shutdown_due();
        }
        (self, vec![])
    }

    /// Why extensions are told that this is the end, if they are.
    pub(super) fn closing_reason(self) -> Option<ShutdownReason> {
        match self.phase {
            Phase::Stopping { stage: Stage::ShuttingDown(reason) }
            | Phase::Resetting { stage: Stage::ShuttingDown(reason), .. } => Some(reason),
            _ => None,
        }
    }

    pub(super) fn destroyed(self) -> (Self, Vec<Action>) {
        match self.phase {
            Phase::Stopping { stage: Stage::Ending } => (self.to(Phase::Stopped), vec![]),
            _ => (self, vec![]),
        }
    }

    /// Everything stops now; an invocation that has no answer yet gets this one.
    pub(super) fn ended(self, verdict: Verdict) -> (Self, Vec<Action>) {
        let mut actions = match self.phase {
            Phase::Stopping { stage: Stage::Ending } | Phase::Stopped => return (self, vec![]),
            // Placement has forgotten it already.
            Phase::Stopping { .. } => return self.end_now(vec![]),
            Phase::Awaiting { id, .. }
            | Phase::Running { id, .. }
            | Phase::Resetting { pending: Some(id), .. } => {
                vec![Action::Answer(id, verdict), Action::Settle]
            }
            Phase::Responded { .. } => vec![Action::Settle],
            _ => vec![],
        };
        actions.push(Action::Leave);
        self.end_now(actions)
    }

    fn end_now(self, mut actions: Vec<Action>) -> (Self, Vec<Action>) {
        actions.push(Action::Destroy);
        (self.to(Phase::Stopping { stage: Stage::Ending }), actions)
    }
}
