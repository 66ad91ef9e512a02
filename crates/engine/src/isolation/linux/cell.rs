//! One function's sandbox: its runtime started or told, its limits, its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Family;
use sandbox::{Limits, Sandbox};
use tokio::net::TcpListener;

use super::peak::Peak;
use super::pool::Starting;
use super::{Counts, fault, stem};
use crate::isolation::{BoxFuture, Cell, Dialer, Exit, Fault, LaunchError, Process, StartError, Usage};

/// Where the runtimes' clients write log messages as frames: to standard output, in order with what is printed.
const LOG_FD: (&str, &str) = ("_LAMBDA_TELEMETRY_LOG_FD", "1");
/// Where layers put external extensions.
pub(super) const EXTENSIONS: &str = "/opt/extensions";
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
    /// The names of what is in `/opt/extensions`.
    pub(super) extensions: Vec<String>,
    pub(super) limits: Limits,
    pub(super) peak: Mutex<Peak>,
    /// Until the Init phase is over.
    pub(super) starting: Mutex<Option<Starting>>,
}

impl LinuxCell {
    fn run_at_full_speed(&self) -> Result<(), Fault> {
        self.sandbox.set_limits(&Limits { cpu: sandbox::Cpu::Full, ..self.limits }).map_err(fault)
    }

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
    let (exited, signaller) = (process.exited(), process.signaller());
    let sandbox::Process { stdout, stderr, .. } = process;
    let exited = Box::pin(async move {
        match exited.await {
            sandbox::Exit::Code(code) => Exit::Code(code),
            sandbox::Exit::Signal(signal) => Exit::Signal(signal),
        }
    });
    let signal = Box::new(move |signal| {
        let signaller = signaller.clone();
        Box::pin(async move { signaller.signal(signal).await.map_err(fault) }) as BoxFuture<'static, _>
    });
    Process { stdout, stderr, exited, signal }
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

    fn extensions(&self) -> &[String] {
        &self.extensions
    }

    fn start_extension(
        &self,
        name: &str,
        variables: BTreeMap<String, String>,
    ) -> BoxFuture<'_, Result<Process, LaunchError>> {
        let command = sandbox::Command {
            argv: vec![format!("{EXTENSIONS}/{name}")],
            env: variables.into_iter().collect(),
            cwd: PathBuf::from("/"),
        };
        Box::pin(async move { Ok(started(self.sandbox.start(command).await.map_err(not_launched)?)) })
    }

    fn dialer(&self) -> Dialer {
        let dialer = self.sandbox.dialer();
        Arc::new(move |port| {
            let dialer = dialer.clone();
            Box::pin(async move { dialer.connect(port).await.map_err(std::io::Error::other) })
        })
    }

    fn begin_init(&self) -> Result<(), Fault> {
        self.run_at_full_speed()
    }

    fn end_init(&self) -> Result<(), Fault> {
        drop(self.starting.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.sandbox.set_limits(&self.limits).map_err(fault)
    }

    fn freeze(&self) -> Result<(), Fault> {
        self.sandbox.freeze().map_err(fault)
    }

    fn thaw(&self) -> Result<(), Fault> {
        self.sandbox.thaw().map_err(fault)
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            // The sandbox's init shares the function's processor time: one that forks without end would leave it none.
            self.run_at_full_speed()?;
            self.sandbox.kill_processes().await.map_err(fault)
        })
    }

    fn usage(&self) -> Usage {
        let stats = self.sandbox.stats().unwrap_or_default();
        let memory_bytes = stats.memory_bytes.unwrap_or_default();
        let (bytes_max, limit_bytes) =
            (stats.memory_bytes_max.unwrap_or_default(), u64::from(self.limits.memory_mib) << 20);
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = || self.sandbox.file_cache_bytes().unwrap_or_default();
        Usage {
            memory_bytes,
            memory_bytes_max: peak.update(memory_bytes, bytes_max, limit_bytes, cached),
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

fn not_launched(error: sandbox::Error) -> LaunchError {
    use rustix::io::Errno;
    let errno = match &error {
        sandbox::Error::Start { source, .. } => source.raw_os_error().map(Errno::from_raw_os_error),
        _ => None,
    };
    let kind = if errno == Some(Errno::ACCESS) { "PermissionDenied" } else { "UnknownError" };
    LaunchError { kind, why: fault(error).to_string() }
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
