//! One function's sandbox: its runtime started or told, its limits, its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::Family;
use sandbox::{Limits, Sandbox};
use tokio::net::TcpListener;

use super::{Counts, fault, stem};
use crate::isolation::{BoxFuture, Cell, Cpu, Exit, Fault, Process, StartError, Usage};

/// Where the runtimes' clients write log messages as frames: to standard output, in order with what is printed.
const LOG_FD: (&str, &str) = ("_LAMBDA_TELEMETRY_LOG_FD", "1");
/// The variable that names a program to start the runtime with.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

pub(super) struct LinuxCell {
    pub(super) sandbox: Sandbox,
    /// The runtime that waits to be told its function, until it is.
    pub(super) stem: Option<sandbox::Process>,
    pub(super) counts: Arc<Counts>,
    pub(super) runtime_version: String,
    pub(super) family: Family,
    pub(super) handler: String,
    pub(super) command: runtimes::Command,
    /// The program of a runtime that the package brings itself, or why there is none.
    pub(super) entrypoint: Option<Result<String, String>>,
    pub(super) limits: Limits,
}

impl LinuxCell {
    async fn run(&mut self, mut variables: BTreeMap<String, String>) -> Result<Process, StartError> {
        if self.family != Family::Provided {
            variables.insert(LOG_FD.0.to_owned(), LOG_FD.1.to_owned());
        }
        let Some(mut stem) = self.stem.take() else { return self.start_afresh(variables).await };
        match stem::specialise(&mut stem, &variables, &self.handler).await {
            Ok(()) => Ok(started(stem)),
            // It has died while nobody looked.
            Err(error) => {
                tracing::warn!(%error, "a stem could not be told its function; starting afresh");
                self.counts.given_up.fetch_add(1, Ordering::Relaxed);
                self.sandbox.kill_processes().await.map_err(fault)?;
                self.start_afresh(variables).await
            }
        }
    }

    async fn start_afresh(&self, variables: BTreeMap<String, String>) -> Result<Process, StartError> {
        let mut argv = self.command.argv.clone();
        match &self.entrypoint {
            Some(Ok(program)) => argv.insert(0, program.clone()),
            Some(Err(missing)) => return Err(StartError::InvalidEntrypoint(missing.clone())),
            None => argv.splice(0..0, variables.get(WRAPPER).cloned()).for_each(drop),
        }
        let mut env = self.command.env.clone();
        env.extend(variables);
        let command =
            sandbox::Command { argv, env: env.into_iter().collect(), cwd: PathBuf::from(self.command.cwd) };
        Ok(started(self.sandbox.start(command).await.map_err(not_started)?))
    }
}

/// A runtime that knows everything: its control socket is closed.
fn started(process: sandbox::Process) -> Process {
    let exited = process.exited();
    let sandbox::Process { stdout, stderr, .. } = process;
    let exited = Box::pin(async move {
        match exited.await {
            sandbox::Exit::Code(code) => Exit::Code(code),
            sandbox::Exit::Signal(signal) => Exit::Signal(signal),
        }
    });
    Process { stdout, stderr, exited }
}

impl Cell for LinuxCell {
    fn runtime_version(&self) -> &str {
        &self.runtime_version
    }

    fn listener(&self) -> Arc<TcpListener> {
        self.sandbox.runtime_api()
    }

    fn start(&mut self, variables: BTreeMap<String, String>) -> BoxFuture<'_, Result<Process, StartError>> {
        Box::pin(self.run(variables))
    }

    fn set_cpu(&self, cpu: Cpu) -> Result<(), Fault> {
        let limits = match cpu {
            Cpu::Full => Limits { cpu: sandbox::Cpu::Full, ..self.limits },
            Cpu::Share => self.limits,
        };
        self.sandbox.set_limits(&limits).map_err(fault)
    }

    fn freeze(&self) -> Result<(), Fault> {
        self.sandbox.freeze().map_err(fault)
    }

    fn thaw(&self) -> Result<(), Fault> {
        self.sandbox.thaw().map_err(fault)
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move { self.sandbox.kill_processes().await.map_err(fault) })
    }

    fn usage(&self) -> Usage {
        let stats = self.sandbox.stats().unwrap_or_default();
        Usage {
            memory_bytes: stats.memory_bytes.unwrap_or_default(),
            memory_bytes_max: stats.memory_bytes_max.unwrap_or_default(),
            oom_kills: stats.oom_kills,
        }
    }

    fn destroy(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Err(error) = self.sandbox.destroy().await {
                tracing::warn!(%error, "sandbox not destroyed");
            }
        })
    }
}

/// A program that cannot be executed is the function's fault; anything else is the machine's.
fn not_started(error: sandbox::Error) -> StartError {
    use rustix::io::Errno;
    if let sandbox::Error::Start { program, source, .. } = &error {
        let reason = match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::ACCESS) => Some("permission denied"),
            Some(Errno::NOENT) => Some("no such file or directory"),
            Some(Errno::NOEXEC) => Some("exec format error"),
            _ => None,
        };
        if let Some(reason) = reason {
            return StartError::InvalidEntrypoint(format!("fork/exec {program}: {reason}"));
        }
    }
    StartError::Fault(fault(error))
}
