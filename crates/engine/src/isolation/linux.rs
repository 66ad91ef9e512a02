//! The product's isolation: Linux sandboxes, with what serves each runtime on this machine.

mod spares;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Family, FunctionVersion, limits};
use runtimes::{Catalogue, Fit, Serving};
use sandbox::{Limits, Sandbox, Sandboxes, Specialisation};
use tokio::net::TcpListener;

use self::spares::Spares;
use super::{BoxFuture, Cell, Cpu, Exit, Fault, Isolation, Process, StartError, Usage};
use crate::package::Packages;

/// Where the runtimes' clients write log messages as frames: to standard output, in order with what is printed.
const LOG_FD: (&str, &str) = ("_LAMBDA_TELEMETRY_LOG_FD", "1");
/// The variable that names a program to start the runtime with.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// What functions may use of the machine's processors after their Init phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuPolicy {
    /// A hard limit in proportion to memory, as on Lambda.
    #[default]
    Quota,
    /// Idle cycles, too; in proportion to memory when the machine is busy: `--cpu burst`.
    Burst,
}

/// What [`Linux`] is made from.
#[derive(Clone)]
pub struct LinuxOptions {
    /// Makes sandboxes.
    pub sandboxes: Sandboxes,
    /// What serves each runtime.
    pub catalogue: Arc<Catalogue>,
    /// Where packages lie unpacked: below one of the launcher's roots.
    pub packages: Packages,
    /// What functions may use of the processors.
    pub cpu: CpuPolicy,
    /// Sandboxes kept ready for each runtime in use, because making one is the slow part of a start.
    pub spares: usize,
}

impl LinuxOptions {
    /// The usual numbers.
    pub fn new(sandboxes: Sandboxes, catalogue: Arc<Catalogue>, packages: Packages) -> Self {
        Self { sandboxes, catalogue, packages, cpu: CpuPolicy::default(), spares: 4 }
    }
}

/// Environments in Linux sandboxes. A cheap handle; must be made inside an async runtime.
#[derive(Clone)]
pub struct Linux {
    catalogue: Arc<Catalogue>,
    packages: Packages,
    cpu: CpuPolicy,
    spares: Arc<Spares>,
}

impl Linux {
    /// Sandboxes on this machine.
    pub fn new(options: LinuxOptions) -> Self {
        let LinuxOptions { sandboxes, catalogue, packages, cpu, spares } = options;
        Self { catalogue, packages, cpu, spares: Spares::start(sandboxes, spares) }
    }

    /// Forgets the sandboxes that were made ahead of time: something of the runtimes has changed, such as the AWS SDK
    /// that is now installed.
    pub fn refresh(&self) {
        self.spares.refresh();
    }

    async fn cell(&self, version: &FunctionVersion) -> Result<LinuxCell, StartError> {
        let serving = self.catalogue.serve(version.runtime).map_err(|unavailable| {
            StartError::RuntimeUnavailable { runtime: version.runtime, advice: unavailable.to_string() }
        })?;
        let (sandbox, task, opt) =
            tokio::try_join!(self.spares.take(&serving), self.task(version), self.opt(version))?;
        let limits = self.limits(version);
        let entrypoint = entrypoint(&serving, &task, opt.as_deref());
        let tmp_mib = version.ephemeral_storage_mib;
        let to = Specialisation { task, opt, tmp_mib, limits: Limits { cpu: sandbox::Cpu::Full, ..limits } };
        sandbox.specialise(to).await.map_err(fault)?;
        let command = serving.command_for(version);
        Ok(LinuxCell {
            sandbox,
            runtime_version: runtime_version(&serving),
            family: version.runtime.family(),
            command,
            entrypoint,
            limits,
        })
    }

    async fn task(&self, version: &FunctionVersion) -> Result<PathBuf, StartError> {
        Ok(self.packages.unpacked(&version.code).await.map_err(fault)?)
    }

    async fn opt(&self, version: &FunctionVersion) -> Result<Option<PathBuf>, StartError> {
        if version.layers.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.packages.merged(&version.layers).await.map_err(fault)?))
    }

    fn limits(&self, version: &FunctionVersion) -> Limits {
        let thousandths = version.memory_mib.saturating_mul(1000).div_ceil(limits::MEMORY_MB_PER_VCPU);
        let cpu = match self.cpu {
            CpuPolicy::Quota => sandbox::Cpu::Quota(thousandths),
            CpuPolicy::Burst => sandbox::Cpu::Weight(thousandths),
        };
        Limits { memory_mib: version.memory_mib, cpu, pids: limits::PROCESSES }
    }
}

impl Isolation for Linux {
    fn acquire<'a>(
        &'a self,
        version: &'a Arc<FunctionVersion>,
    ) -> BoxFuture<'a, Result<Box<dyn Cell>, StartError>> {
        Box::pin(async move { Ok(Box::new(self.cell(version).await?) as Box<dyn Cell>) })
    }

    fn available_memory_mib(&self) -> u64 {
        let figures = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        // Without the figure there is nothing to hold back for; the kernel's own limits remain.
        available_mib(&figures).unwrap_or(u64::MAX / 2)
    }
}

struct LinuxCell {
    sandbox: Sandbox,
    runtime_version: String,
    family: Family,
    command: runtimes::Command,
    /// The program of a runtime that the package brings itself, or why there is none.
    entrypoint: Option<Result<String, String>>,
    limits: Limits,
}

impl LinuxCell {
    async fn run(&self, variables: BTreeMap<String, String>) -> Result<Process, StartError> {
        let mut argv = self.command.argv.clone();
        match &self.entrypoint {
            Some(Ok(program)) => argv.insert(0, program.clone()),
            Some(Err(missing)) => return Err(StartError::InvalidEntrypoint(missing.clone())),
            None => argv.splice(0..0, variables.get(WRAPPER).cloned()).for_each(drop),
        }
        let mut env = self.command.env.clone();
        env.extend(variables);
        if self.family != Family::Provided {
            env.insert(LOG_FD.0.to_owned(), LOG_FD.1.to_owned());
        }
        let command =
            sandbox::Command { argv, env: env.into_iter().collect(), cwd: PathBuf::from(self.command.cwd) };
        let process = self.sandbox.start(command).await.map_err(not_started)?;
        let exited = process.exited();
        // Its control socket is for runtimes that were started ahead of time; this one was told everything.
        let sandbox::Process { stdout, stderr, .. } = process;
        let exited = Box::pin(async move {
            match exited.await {
                sandbox::Exit::Code(code) => Exit::Code(code),
                sandbox::Exit::Signal(signal) => Exit::Signal(signal),
            }
        });
        Ok(Process { stdout, stderr, exited })
    }
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

/// What serves the function, and loudly when it is not the very version.
fn runtime_version(serving: &Serving) -> String {
    let label = serving.version_label();
    match serving.fit() {
        Fit::Nearest => format!("{label} (the nearest to {} on this machine)", serving.runtime()),
        _ => label,
    }
}

/// The package's own program, for runtimes that bring one.
fn entrypoint(serving: &Serving, task: &Path, opt: Option<&Path>) -> Option<Result<String, String>> {
    let candidates = serving.bootstraps();
    if candidates.is_empty() {
        return None;
    }
    let exists = |inside: &&&str| {
        let on_host = [(Some(task), "/var/task/"), (opt, "/opt/")]
            .into_iter()
            .find_map(|(root, prefix)| Some(root?.join(inside.strip_prefix(prefix)?)));
        // Not followed if it is a link: a link in a package means something only inside the sandbox.
        on_host.is_some_and(|path| path.symlink_metadata().is_ok_and(|found| !found.is_dir()))
    };
    let found = candidates.iter().find(exists).map(|found| (*found).to_owned());
    Some(found.ok_or_else(|| format!("Couldn't find valid bootstrap(s): [{}]", candidates.join(" "))))
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

fn fault(error: impl std::error::Error) -> Fault {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    Fault(text)
}

/// `MemAvailable` of `/proc/meminfo`, in MiB.
fn available_mib(figures: &str) -> Option<u64> {
    let line = figures.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_figure_is_read_in_mib() {
        assert_eq!(available_mib("MemTotal: 99 kB\nMemAvailable:   2097152 kB\n"), Some(2048));
        assert_eq!(available_mib("MemTotal: 99 kB\n"), None);
    }
}
