//! What callers ask of a sandbox, as plain values.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How the launcher is started. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directories below which `/var/task` and `/opt` may come from; made when absent. Nothing else of the host
    /// can be injected into a sandbox later.
    pub roots: Vec<PathBuf>,
    /// A directory on the disk that holds what is in `/tmp`, in files without names. Without one it is in memory, and
    /// counts towards the function's.
    pub storage: Option<PathBuf>,
    /// Name of our directory in each cgroup hierarchy; may be a relative path.
    pub cgroup: String,
    /// The most sandboxes that exist at a time. Each has a host user id of its own.
    pub sandboxes_max: u32,
    /// First of the host user ids that sandboxes run as; `uid_base..=uid_base + sandboxes_max` must own nothing.
    pub uid_base: u32,
    /// The port of Hearth's own endpoint, which functions reach at 127.0.0.1.
    pub endpoint_port: u16,
    /// Whether sandboxes have a way to the outside network at all; what it reaches is the policy's decision.
    pub internet: bool,
    /// The program that becomes the launcher: this one, unless a test says otherwise.
    pub program: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            storage: None,
            cgroup: "hearth".into(),
            sandboxes_max: 4096,
            uid_base: 100_000,
            endpoint_port: 4566,
            internet: true,
            program: "/proc/self/exe".into(),
        }
    }
}

/// The read-only root of a runtime's sandboxes: what the runtime needs, and nothing else of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// Host files and directories, shown read-only.
    pub binds: Vec<Bind>,
    /// Symbolic links.
    pub symlinks: Vec<Symlink>,
    /// Small files made for the sandbox.
    pub files: Vec<File>,
    /// Empty directories: places for later mounts, or paths that must exist.
    pub directories: Vec<PathBuf>,
}

/// A host path shown at a sandbox path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Absolute path on the host.
    pub host: PathBuf,
    /// Absolute path in the sandbox.
    pub inside: PathBuf,
}

/// A symbolic link in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symlink {
    /// What the link says.
    pub target: PathBuf,
    /// Absolute path of the link in the sandbox.
    pub inside: PathBuf,
}

/// A small file in the sandbox, owned by its root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Absolute path in the sandbox.
    pub inside: PathBuf,
    /// The text in it.
    pub contents: String,
    /// Permission bits, such as 0o644.
    pub mode: u32,
}

impl TemplateSpec {
    /// Adds a bind, for building a spec in one expression.
    #[must_use]
    pub fn bind(mut self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.binds.push(Bind { host: host.into(), inside: inside.into() });
        self
    }

    /// Adds a symbolic link at `inside` that says `target`.
    #[must_use]
    pub fn symlink(mut self, target: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.symlinks.push(Symlink { target: target.into(), inside: inside.into() });
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, inside: impl Into<PathBuf>, contents: impl Into<String>, mode: u32) -> Self {
        self.files.push(File { inside: inside.into(), contents: contents.into(), mode });
        self
    }

    /// Adds an empty directory.
    #[must_use]
    pub fn directory(mut self, inside: impl Into<PathBuf>) -> Self {
        self.directories.push(inside.into());
        self
    }

    /// Adds a bind of the same path inside and outside, where the host has it.
    #[must_use]
    pub fn bind_if_present(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        if path.exists() { self.bind(path, path) } else { self }
    }
}

/// What a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Beyond it the kernel kills; there is no swap. `/tmp` counts only where it has to be in memory.
    pub memory_mib: u32,
    /// Processor time.
    pub cpu: Cpu,
    /// Processes and threads together, without the sandbox's own init.
    pub pids: u32,
}

/// How much processor time a sandbox gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cpu {
    /// As much as the machine has.
    Full,
    /// A hard limit, in thousandths of one core; may be above 1000.
    Quota(u32),
    /// No limit, but a share against other sandboxes when the machine is busy; in thousandths of one core.
    Weight(u32),
}

/// What turns a pooled sandbox into a function's.
#[derive(Clone, Debug)]
pub struct Specialisation {
    /// The function's code, to become `/var/task`; below one of [`Options::roots`].
    pub task: PathBuf,
    /// The merged layers, to become `/opt`.
    pub opt: Option<PathBuf>,
    /// Size of `/tmp`.
    pub tmp_mib: u32,
    /// The function's limits.
    pub limits: Limits,
}

/// A program to start in a sandbox. It gets nothing of the server's environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Absolute path of the program, then its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub cwd: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this status.
    Code(i32),
    /// This signal killed it; also said of processes that went away together with their sandbox.
    Signal(i32),
}

/// What a sandbox has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory charged now.
    pub memory_bytes: Option<u64>,
    /// The most memory charged since creation or the last reset.
    pub memory_bytes_max: Option<u64>,
    /// Processes killed for lack of memory.
    pub oom_kills: u64,
}

/// Whether this machine grants one kind of limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// It is enforced.
    Enforced,
    /// It is not; a sentence says why and what would help.
    Missing(String),
}

impl Grant {
    /// Whether the limit holds.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        matches!(self, Self::Enforced)
    }
}

/// Which limits this machine enforces, for the banner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strength {
    /// The memory limit and its kill.
    pub memory: Grant,
    /// The processor quota or weight.
    pub cpu: Grant,
    /// The limit on processes and threads.
    pub pids: Grant,
    /// Stopping idle sandboxes completely.
    pub freeze: Grant,
    /// A host user id of its own for every sandbox, different from the server's.
    pub users: Grant,
    /// `/tmp` on the disk rather than in the function's memory.
    pub storage: Grant,
}

impl Strength {
    /// The limits in the order they are worth telling, each with its name.
    pub fn grants(&self) -> [(&'static str, &Grant); 6] {
        [
            ("memory", &self.memory),
            ("cpu", &self.cpu),
            ("processes", &self.pids),
            ("freeze", &self.freeze),
            ("users", &self.users),
            ("storage", &self.storage),
        ]
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.grants().iter().all(|(_, grant)| grant.is_enforced())
    }
}
