//! The Init phase, before an invocation or inside one: how a runtime is started, and what is said about it.

use std::time::Duration;

use domain::Family;
use tokio::time::Instant;

use super::{Environment, in_time};
use crate::InvokeError;
use crate::environment::deadlines::Due;
use crate::environment::outcome;
use crate::environment::state::{Event, InitResult, StartFailure};
use crate::isolation::{Cpu, Process, StartError};
use crate::logs::{InitReport, Output, Phase as InitPhase, Status};

impl Environment {
    /// The Init phase begins: a cell, and the runtime in it.
    pub(super) async fn begin(&mut self) {
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

    /// Starts the runtime, with everything it learns from its environment.
    pub(super) async fn start(&mut self, phase: InitPhase) -> Result<(), StartError> {
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
            InitResult::InvalidEntrypoint => Status::Error("Runtime.InvalidEntrypoint".to_owned()),
        };
        let duration = self.init_ended(InitPhase::Init, &status);
        if result == InitResult::Success {
            self.init = duration;
            self.unreported_init = Some(duration);
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
        let at = self.journal.now();
        let lines = [self.platform.init_runtime_done(at, &report), self.platform.init_report(at, &report)];
        lines.into_iter().flatten().for_each(|line| self.journal.write(line));
        duration
    }

    pub(super) fn abandon(&mut self) {
        let error = self.start_error.take().unwrap_or_else(|| InvokeError::Unavailable {
            why: self.fault.clone().unwrap_or_else(|| "the execution environment did not start".to_owned()),
        });
        if let Some(job) = self.pool.abandon(self.id) {
            job.fail(error);
        }
        self.leave();
    }
}
