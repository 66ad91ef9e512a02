//! The Init phase, before an invocation or inside one: how a runtime is started, and what is said about it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Family, FunctionVersion, Timestamp, limits};
use runtimes::Session;
use tokio::time::Instant;

use super::extensions::Extensions;
use super::{Environment, in_time};
use crate::environment::deadlines::Due;
use crate::environment::outcome;
use crate::environment::state::{Event, ExtensionSet, InitResult, StartFailure};
use crate::isolation::{Process, StartError};
use crate::logs::{InitReport, InitStart, Output, Phase as InitPhase, Said, Status};
use crate::{Initialization, InvokeError};

type Variables = BTreeMap<String, String>;

impl Environment {
    /// The Init phase begins: a cell, and the runtime in it.
    pub(super) async fn begin(&mut self) {
        match self.engine.options.isolation.acquire(&self.pool.version).await {
            Ok(cell) => {
                self.listener = Some(cell.listener());
                let mut external = ExtensionSet::default();
                if !cell.extensions().is_empty() {
                    let extensions = Extensions::of(cell.extensions());
                    external = extensions.external();
                    self.extensions = Some(Box::new(extensions));
                }
                self.cell = Some(cell);
                self.deadlines.set(Due::Init, Instant::now() + self.init_timeout());
                self.feed(Event::Acquired(external)).await;
            }
            Err(error) => self.start_failed(error).await,
        }
    }

    /// Who does not keep a request waiting has more time.
    fn init_timeout(&self) -> Duration {
        match self.initialization {
            Initialization::OnDemand => self.engine.options.limits.init_timeout,
            Initialization::Provisioned | Initialization::SnapStart => {
                limits::INIT_TIMEOUT_AHEAD.max(self.pool.version.timeout)
            }
        }
    }

    pub(super) async fn start_failed(&mut self, error: StartError) {
        let failure = self.note_start_error(error);
        self.feed(Event::StartFailed(failure)).await;
    }

    pub(super) fn note_start_error(&mut self, error: StartError) -> StartFailure {
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

    /// An Init phase begins, before an invocation or inside one; once for the extensions and the runtime together.
    pub(super) fn begin_init(&mut self) -> Result<(), StartError> {
        if self.starting_since.is_some() {
            return Ok(());
        }
        self.begin_invocation();
        let Some(cell) = &self.cell else { return Ok(()) };
        let runtime = cell.runtime_version().to_owned();
        if self.init_phase() == InitPhase::Invoke {
            cell.begin_init()?;
        }
        self.starting_since = Some(Instant::now());
        (self.exited, self.said_runtime_done) = (None, false);
        if let Some(extensions) = &mut self.extensions {
            extensions.begin();
        }
        let runtime_arn = crate::runtime_version_arn(&self.pool.version.scope.region, &runtime);
        let instance = self.journal.stream().to_owned();
        let (runtime, runtime_arn, instance) = (&*runtime, &*runtime_arn, &*instance);
        self.say(Said::InitStart(&InitStart { phase: self.init_phase(), runtime, runtime_arn, instance }));
        Ok(())
    }

    /// An extension came to be in the middle of the Init phase: how it began is not missed.
    pub(super) fn tell_init_start(&mut self) {
        let (phase, now) = (self.init_phase(), self.journal.now());
        let (Some(since), Some(cell), Some(extensions)) =
            (self.starting_since, &self.cell, &mut self.extensions)
        else {
            return;
        };
        let ago_ms = i64::try_from(since.elapsed().as_millis()).unwrap_or_default();
        let runtime = cell.runtime_version();
        let runtime_arn = crate::runtime_version_arn(&self.pool.version.scope.region, runtime);
        let start = InitStart { phase, runtime, runtime_arn: &runtime_arn, instance: self.journal.stream() };
        extensions.begin();
        extensions.tell(Timestamp(now.epoch_ms() - ago_ms), || self.platform.record(Said::InitStart(&start)));
    }

    fn init_phase(&self) -> InitPhase {
        if self.job.is_some() { InitPhase::Invoke } else { InitPhase::Init }
    }

    /// What a process learns from its environment.
    pub(super) fn variables(&self, of: fn(&FunctionVersion, &Session<'_>) -> Variables) -> Variables {
        let version = &self.pool.version;
        let credentials = (self.engine.options.credentials)(version);
        let session = Session {
            credentials: &credentials,
            endpoint_url: &self.engine.options.endpoint_url,
            log_stream: self.journal.stream(),
            initialization_type: self.initialization.name(),
            credentials_token: self.restore.as_ref().map(|restore| restore.token.as_str()),
        };
        of(version, &session)
    }

    /// Starts the runtime, with everything it learns from its environment.
    pub(super) async fn start(&mut self) -> Result<(), StartError> {
        self.begin_init()?;
        let variables = self.variables(runtimes::of_function);
        let Some(cell) = &mut self.cell else { return Ok(()) };
        let framed = self.pool.version.runtime.family() != Family::Provided;
        let Process { stdout, stderr, exited, signal } =
            in_time("start a runtime", cell.start(variables)).await?;
        (self.stdout, self.stderr) = (Some(Output::new(stdout, framed)), Some(Output::new(stderr, false)));
        (self.exit, self.signal) = (Some(exited), Some(signal));
        Ok(())
    }

    pub(super) fn report_init(&mut self, result: InitResult) {
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
            InitResult::Extension(failure) => {
                Status::Error(outcome::extension_failure_type(failure).to_owned())
            }
            InitResult::InvalidEntrypoint => Status::Error("Runtime.InvalidEntrypoint".to_owned()),
        };
        let duration = self.init_ended(InitPhase::Init, &status);
        if result == InitResult::Success {
            self.init = duration;
            // Otherwise it is nobody's in particular, and INIT_REPORT has told.
            self.unreported_init = (self.initialization == Initialization::OnDemand).then_some(duration);
        } else if self.is_ahead() {
            self.pool.failed_ahead(match status {
                Status::Error(error_type) | Status::FunctionError(error_type) => error_type,
                Status::Timeout | Status::Success => "Sandbox.Timedout".to_owned(),
            });
        }
    }

    /// The runtime did not come up inside the invocation that ends with `status`.
    pub(super) fn report_failed_init(&mut self, status: &Status) {
        if self.starting_since.is_some() {
            self.drain();
            self.init_ended(InitPhase::Invoke, status);
        }
    }

    pub(super) fn init_ended(&mut self, phase: InitPhase, status: &Status) -> Duration {
        let duration = self.starting_since.take().map(|since| since.elapsed()).unwrap_or_default();
        let report = InitReport { duration, phase, status };
        if !std::mem::take(&mut self.said_runtime_done) {
            self.say(Said::InitRuntimeDone(&report));
        }
        self.say_extensions();
        self.say(Said::InitReport(&report));
        self.close_subscriptions();
        duration
    }

    /// The runtime is up; an extension is not.
    pub(super) fn init_runtime_done(&mut self) {
        if std::mem::replace(&mut self.said_runtime_done, true) {
            return;
        }
        let duration = self.starting_since.map(|since| since.elapsed()).unwrap_or_default();
        let report = InitReport { duration, phase: self.init_phase(), status: &Status::Success };
        self.say(Said::InitRuntimeDone(&report));
    }

    pub(super) fn abandon(&mut self) {
        let error = self.start_error.take().unwrap_or_else(|| InvokeError::Unavailable {
            why: self.fault.clone().unwrap_or_else(|| "the execution environment did not start".to_owned()),
        });
        if self.is_ahead() {
            self.pool.failed_ahead(error.to_string());
        }
        if let Some(job) = self.pool.abandon(self.id) {
            job.fail(error);
        }
        self.leave();
    }
}
