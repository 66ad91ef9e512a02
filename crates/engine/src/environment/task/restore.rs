//! SnapStart: what happens between an initialised runtime and its first event.
//!
//! Hearth takes no snapshot: an environment is initialised when its version is published and waits, frozen. What a function
//! can see is as on Lambda all the same: its runtime says that it can be set aside (`/restore/next`), is answered when a
//! request comes, runs its hooks, and only then asks for the event. A runtime that does not know of this asks for the event
//! at once, and is restored as soon as it is thawed.

use std::time::Duration;

use domain::{Credentials, limits};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Environment, Reply};
use crate::InvokeError;
use crate::environment::deadlines::Due;
use crate::environment::state::{Death, Event, ExtensionSet, Phase, Refusal, Verdict};
use crate::logs::{InitReport, InitStart, Phase as InitPhase, Said, Status};
use crate::runtime_api::Posted;

/// How far an environment with SnapStart is.
pub(super) struct Restore {
    /// What the function asks for credentials with.
    pub(super) token: String,
    /// The call that is answered when a request wants the environment.
    parked: Option<oneshot::Sender<Result<(), Refusal>>>,
    /// Since when it is being restored.
    since: Option<Instant>,
    /// This start of the runtime has been restored.
    done: bool,
    /// How long that took, until an invocation has reported it.
    pub(super) unreported: Option<Duration>,
    /// Extensions that are to hear of the invocation when the runtime does.
    announce: Option<ExtensionSet>,
    failure: Option<InvokeError>,
}

impl Restore {
    pub(super) fn new() -> Self {
        Self {
            token: Uuid::new_v4().simple().to_string(),
            parked: None,
            since: None,
            done: false,
            unreported: None,
            announce: None,
            failure: None,
        }
    }

    /// The runtime is to start again.
    pub(super) fn restart(&mut self) {
        (self.parked, self.since, self.announce, self.done) = (None, None, None, false);
    }
}

impl Environment {
    /// The runtime can be set aside.
    pub(super) async fn restore_asked(&mut self, reply: oneshot::Sender<Result<(), Refusal>>) {
        let possible = self
            .restore
            .as_ref()
            .is_some_and(|restore| !restore.done && restore.since.is_none() && restore.parked.is_none());
        if !possible {
            let _ = reply.send(Err(self.wrong_restore("RestoreReady")));
            return;
        }
        self.call = Some(Reply::Restore(reply));
        self.feed(Event::Next).await;
    }

    /// The hooks that run after it was set aside have failed.
    pub(super) async fn restore_failed(
        &mut self,
        posted: Posted,
        reply: oneshot::Sender<Result<(), Refusal>>,
    ) {
        if self.restore.as_ref().is_none_or(|restore| restore.since.is_none()) {
            let _ = reply.send(Err(self.wrong_restore("RestoreError")));
            return;
        }
        let _ = reply.send(Ok(()));
        self.end_restore(InvokeError::RestoreFailed, Status::Error(posted.error_type)).await;
    }

    /// The hooks take too long.
    pub(super) async fn restore_due(&mut self) {
        self.end_restore(InvokeError::RestoreTimedOut, Status::Timeout).await;
    }

    async fn end_restore(&mut self, failure: InvokeError, status: Status) {
        self.report_restore(&status);
        if let Some(restore) = &mut self.restore {
            restore.failure = Some(failure);
        }
        // What was not restored is of no use, and nor is its runtime.
        self.feed(Event::Exited(Death::Exit)).await;
    }

    /// Keeps the call waiting for a request.
    pub(super) fn park_restore(&mut self, reply: oneshot::Sender<Result<(), Refusal>>) {
        if let Some(restore) = &mut self.restore {
            restore.parked = Some(reply);
        }
    }

    /// The connection of that call closed.
    pub(super) async fn restore_dropped(&mut self) {
        if let Some(restore) = &mut self.restore {
            restore.parked = None;
        }
        self.feed(Event::NextDropped).await;
    }

    /// An invocation is to be delivered: whether the runtime has something to do before that.
    pub(super) fn restore_first(&mut self) -> bool {
        let Some(restore) = &mut self.restore else { return false };
        if restore.done {
            return false;
        }
        if restore.since.is_some() {
            self.report_restore(&Status::Success);
            return false;
        }
        let parked = restore.parked.take();
        restore.since = Some(Instant::now());
        if self.starting_since.is_some() {
            self.init_ended(InitPhase::Invoke, &Status::Success);
        }
        let runtime = self.cell.as_ref().map(|cell| cell.runtime_version().to_owned()).unwrap_or_default();
        let runtime_arn = crate::runtime_version_arn(&self.pool.version.scope.region, &runtime);
        let instance = self.journal.stream().to_owned();
        let start = InitStart {
            phase: InitPhase::Init,
            runtime: &runtime,
            runtime_arn: &runtime_arn,
            instance: &instance,
        };
        self.say(Said::RestoreStart(&start));
        let Some(parked) = parked else {
            self.report_restore(&Status::Success);
            return false;
        };
        self.deadlines.set(Due::Restore, Instant::now() + limits::RESTORE_TIMEOUT);
        if self.job.as_ref().is_some_and(|current| current.begun.is_none()) {
            // The function's own time begins with the event.
            self.deadlines.clear(Due::Invocation);
        }
        // A call whose connection has gone is made again, or the runtime dies.
        let _ = parked.send(Ok(()));
        // The runtime asks for the event when its hooks are done.
        self.follow_ups.push_back(Event::NextDropped);
        true
    }

    fn report_restore(&mut self, status: &Status) {
        self.deadlines.clear(Due::Restore);
        self.drain();
        let Some(restore) = &mut self.restore else { return };
        let Some(since) = restore.since.take() else { return };
        let duration = since.elapsed();
        restore.done = true;
        restore.unreported = Some(duration);
        let report = InitReport { duration, phase: InitPhase::Init, status };
        self.say(Said::RestoreRuntimeDone(&report));
        self.say(Said::RestoreReport(&report));
        if let Some(current) = &self.job
            && current.begun.is_none()
        {
            self.deadlines.set(Due::Invocation, Instant::now() + self.pool.version.timeout);
        }
    }

    /// Extensions hear of an invocation when the runtime does. Whether that is later.
    pub(super) fn announces_later(&mut self, to: ExtensionSet) -> bool {
        match &mut self.restore {
            Some(restore) if restore.since.is_some() => {
                restore.announce = Some(to);
                true
            }
            _ => false,
        }
    }

    pub(super) fn announce_restored(&mut self) {
        if let Some(to) = self.restore.as_mut().and_then(|restore| restore.announce.take()) {
            self.announce(to);
        }
    }

    /// Why there is no answer, if the environment could not be restored.
    pub(super) fn take_restore_failure(&mut self, verdict: Verdict) -> Option<InvokeError> {
        if matches!(verdict, Verdict::Died(_)) && self.restore.as_ref()?.since.is_some() {
            self.report_restore(&Status::Error("Runtime.ExitError".to_owned()));
            self.restore.as_mut()?.failure = Some(InvokeError::RestoreFailed);
        }
        self.restore.as_mut()?.failure.take()
    }

    /// The role's credentials as they are now, for whoever knows the token.
    pub(super) fn credentials(&self, token: Option<&str>) -> Option<Credentials> {
        let restore = self.restore.as_ref()?;
        (token == Some(&*restore.token)).then(|| (self.engine.options.credentials)(&self.pool.version))
    }

    fn wrong_restore(&self, to: &'static str) -> Refusal {
        let from = match self.state.phase() {
            Phase::Starting { .. } | Phase::Awaiting { .. } => "Started",
            Phase::Running { .. } => "Running",
            _ => "Ready",
        };
        Refusal::InvalidStateTransition { from, to }
    }
}

/// Waits until the connection of the call that waits to be restored is closed.
pub(super) async fn dropped(restore: &mut Option<Box<Restore>>) {
    match restore.as_mut().and_then(|restore| restore.parked.as_mut()) {
        Some(parked) => parked.closed().await,
        None => std::future::pending().await,
    }
}
