//! The product's isolation: Linux sandboxes, with what serves each runtime on this machine.
//!
//! A cell is made from what [`pool`] has ready: a stem whose runtime already waits to be told its function, or a
//! sandbox in which the runtime is started now. Which of the two it was cannot be seen from outside, but for the time.

mod cell;
mod demand;
mod peak;
mod pool;
mod stem;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{FunctionVersion, limits};
use runtimes::{Catalogue, Fit, Serving};
use sandbox::{Limits, Sandboxes, Specialisation};

use self::cell::LinuxCell;
pub use self::pool::Ahead;
use self::pool::{Kind, Pool, Spare};
use super::{BoxFuture, Cell, Fault, Isolation, StartError};
use crate::package::Packages;

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
    /// What is made ahead of time for the runtimes in use.
    pub ahead: Ahead,
}

impl LinuxOptions {
    /// The usual choices.
    pub fn new(sandboxes: Sandboxes, catalogue: Arc<Catalogue>, packages: Packages) -> Self {
        Self { sandboxes, catalogue, packages, cpu: CpuPolicy::default(), ahead: Ahead::default() }
    }
}

/// Environments in Linux sandboxes. A cheap handle; must be made inside an async runtime.
#[derive(Clone)]
pub struct Linux {
    catalogue: Arc<Catalogue>,
    packages: Packages,
    cpu: CpuPolicy,
    ahead: Ahead,
    pool: Arc<Pool>,
    counts: Arc<Counts>,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Counts {
    from_stems: AtomicU64,
    from_sandboxes: AtomicU64,
    given_up: AtomicU64,
}

/// How environments came to be, and what is ready for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Environments made from a stem.
    pub from_stems: u64,
    /// Environments whose runtime was started when it was needed.
    pub from_sandboxes: u64,
    /// Stems that could not be made a function's; a fresh start took their place.
    pub stems_given_up: u64,
    /// Stems that wait.
    pub stems_ready: usize,
    /// Bare sandboxes that wait.
    pub sandboxes_ready: usize,
}

impl Linux {
    /// Sandboxes on this machine.
    pub fn new(options: LinuxOptions) -> Self {
        let LinuxOptions { sandboxes, catalogue, packages, cpu, ahead } = options;
        Self { catalogue, packages, cpu, ahead, pool: Pool::start(sandboxes), counts: Arc::default() }
    }

    /// Forgets what was made ahead of time: something of the runtimes has changed, such as the AWS SDK that is now
    /// installed.
    pub fn refresh(&self) {
        self.pool.refresh();
    }

    /// Makes ready what the version's next environment starts from, unless it is.
    pub async fn prepare(&self, version: &FunctionVersion) -> Result<(), StartError> {
        let serving = self.serving(version)?;
        Ok(self.pool.prepare(self.kind(version, &serving), &serving).await?)
    }

    /// What has happened, and what is ready.
    pub fn figures(&self) -> Figures {
        let (stems_ready, sandboxes_ready) = self.pool.ready();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            from_stems: count(&self.counts.from_stems),
            from_sandboxes: count(&self.counts.from_sandboxes),
            stems_given_up: count(&self.counts.given_up),
            stems_ready,
            sandboxes_ready,
        }
    }

    async fn cell(&self, version: &FunctionVersion) -> Result<LinuxCell, StartError> {
        let serving = self.serving(version)?;
        let kind = self.kind(version, &serving);
        let starting = self.pool.starting();
        let ((task, opt), spare) =
            tokio::try_join!(self.code(version), async { Ok(self.pool.take(kind, &serving).await?) })?;
        let limits = self.limits(version);
        let full_speed = Limits { cpu: sandbox::Cpu::Full, ..limits };
        let tmp_mib = version.ephemeral_storage_mib;
        let to = Specialisation { task: task.clone(), opt: opt.clone(), tmp_mib, limits: full_speed };
        let Spare { sandbox, runtime } = self.specialise(spare, to, &serving).await?;
        let count = if runtime.is_some() { &self.counts.from_stems } else { &self.counts.from_sandboxes };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(LinuxCell {
            sandbox,
            stem: runtime,
            counts: Arc::clone(&self.counts),
            runtime_version: runtime_version(&serving),
            family: version.runtime.family(),
            handler: version.handler.clone(),
            command: serving.command_for(version),
            entrypoint: entrypoint(&serving, &task, opt.as_deref()),
            extensions: opt.as_deref().map(extensions).unwrap_or_default(),
            limits,
            peak: std::sync::Mutex::default(),
            starting: std::sync::Mutex::new(Some(starting)),
        })
    }

    /// Makes the sandbox the function's. If that fails and it was a stem, a fresh sandbox gets its chance, once.
    async fn specialise(&self, spare: Spare, to: Specialisation, serving: &Serving) -> Result<Spare, Fault> {
        let error = match spare.sandbox.specialise(to.clone()).await {
            Ok(()) => return Ok(spare),
            Err(error) => fault(error),
        };
        if spare.runtime.is_none() {
            return Err(error);
        }
        tracing::warn!(runtime = %serving.runtime(), %error, "a stem could not be used; starting afresh");
        self.counts.given_up.fetch_add(1, Ordering::Relaxed);
        let fresh = self.pool.make_bare(serving, to.limits.cpu).await?;
        fresh.sandbox.specialise(to).await.map_err(fault)?;
        Ok(fresh)
    }

    fn serving(&self, version: &FunctionVersion) -> Result<Serving, StartError> {
        self.catalogue.serve(version.runtime).map_err(|unavailable| StartError::RuntimeUnavailable {
            runtime: version.runtime,
            advice: unavailable.to_string(),
        })
    }

    /// What the version starts from: a stem, unless something of the version is read only when a process starts.
    fn kind(&self, version: &FunctionVersion, serving: &Serving) -> Kind {
        let from_stem =
            self.ahead == Ahead::Stems && serving.can_be_stem() && !runtimes::needs_fresh_start(version);
        let stem_class_mib = from_stem.then(|| serving.memory_class_mib(version.memory_mib));
        Kind { runtime: version.runtime, stem_class_mib }
    }

    /// What becomes `/var/task` and `/opt`.
    async fn code(&self, version: &FunctionVersion) -> Result<(PathBuf, Option<PathBuf>), StartError> {
        let opt = async {
            if version.layers.is_empty() {
                return Ok(None);
            }
            self.packages.merged(&version.layers).await.map(Some)
        };
        Ok(tokio::try_join!(self.packages.unpacked(&version.code), opt).map_err(fault)?)
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

    fn expect(&self, version: &FunctionVersion) {
        // A runtime that nothing serves is reported when the function is invoked.
        if let Ok(serving) = self.serving(version) {
            self.pool.announce(self.kind(version, &serving), &serving);
        }
    }

    fn available_memory_mib(&self) -> u64 {
        available_memory_mib()
    }
}

fn available_memory_mib() -> u64 {
    let figures = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    // Without the figure there is nothing to hold back for; the kernel's own limits remain.
    available_mib(&figures).unwrap_or(u64::MAX / 2)
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

/// The external extensions in the layers: every file of one directory, in the order of their names.
fn extensions(opt: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(opt.join("extensions")) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
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
