//! Where environments run: the seam between the life of an environment and the machine.
//!
//! [`Linux`] is the product; the tests' fake runs a scripted runtime inside the test's own process. A cell is created for
//! one function version and never given to another. How a cell is made (fresh, from a pool, from a runtime that was
//! already started) is the implementation's business: the environment only acquires, starts and frees.

#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod linux;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use domain::{FunctionVersion, Runtime};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};

pub use linux::{Ahead, CpuPolicy, Figures, Linux, LinuxOptions};

/// A future behind a pointer, so that isolations can be chosen at run time. Only starts, freezes and ends pay for it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes cells.
pub trait Isolation: Send + Sync + 'static {
    /// A cell with the version's code in place and nothing of the function running yet.
    fn acquire<'a>(
        &'a self,
        version: &'a Arc<FunctionVersion>,
    ) -> BoxFuture<'a, Result<Box<dyn Cell>, StartError>>;

    /// A version was published whose first invocation is to come: something may be made ready for it.
    fn expect(&self, _version: &FunctionVersion) {}

    /// What the machine could still give to new environments, in MiB.
    fn available_memory_mib(&self) -> u64;
}

/// One isolated place for one function version. What is not async takes a few microseconds.
pub trait Cell: Send + Sync {
    /// What serves the function, as the INIT_START line names it: `python:3.12.7`.
    fn runtime_version(&self) -> &str;

    /// Where the runtime calls: the address that it finds in `AWS_LAMBDA_RUNTIME_API`.
    fn listener(&self) -> Arc<TcpListener>;

    /// Starts the runtime with the function's variables over the runtime's own. Called again after a reset.
    fn start(&mut self, variables: BTreeMap<String, String>) -> BoxFuture<'_, Result<Process, StartError>>;

    /// The names of the external extensions that the version's layers hold, in order.
    fn extensions(&self) -> &[String];

    /// Starts one of them with its variables. The error is the reason, as AWS names it.
    fn start_extension(
        &self,
        name: &str,
        variables: BTreeMap<String, String>,
    ) -> BoxFuture<'_, Result<Process, LaunchError>>;

    /// What connects to the function's own listeners.
    fn dialer(&self) -> Dialer;

    /// An Init phase begins inside an invocation: full speed. A cell that was just made has it already.
    fn begin_init(&self) -> Result<(), Fault>;

    /// The Init phase is over: from now on the share that the function's memory buys.
    fn end_init(&self) -> Result<(), Fault>;

    /// Stops every process where it is.
    fn freeze(&self) -> Result<(), Fault>;

    /// Lets every process go on.
    fn thaw(&self) -> Result<(), Fault>;

    /// Kills the function's processes and returns when they are gone; the cell and its `/tmp` stay.
    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// Memory and kills so far.
    fn usage(&self) -> Usage;

    /// Ends the cell and everything in it.
    fn destroy(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A started runtime.
pub struct Process {
    /// What it prints. Non-blocking.
    pub stdout: pipe::Receiver,
    /// What it prints as errors. Non-blocking.
    pub stderr: pipe::Receiver,
    /// Ends when the process does.
    pub exited: BoxFuture<'static, Exit>,
    /// Sends it a signal.
    pub signal: Signaller,
}

/// Sends a signal to a process. Nothing happens when it has ended.
pub type Signaller = Box<dyn Fn(i32) -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

/// Connects to a port of the cell's own loopback.
pub type Dialer = Arc<dyn Fn(u16) -> BoxFuture<'static, io::Result<TcpStream>> + Send + Sync>;

/// An external extension could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct LaunchError {
    /// `PermissionDenied` or `UnknownError`, as the EXTENSION line names it.
    pub kind: &'static str,
    /// What was attempted, and why it did not work.
    pub why: String,
}

/// How a runtime ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with a status.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// What a cell has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Now, in bytes.
    pub memory_bytes: u64,
    /// At most, since the cell was specialised, in bytes.
    pub memory_bytes_max: u64,
    /// How often the kernel killed for want of memory.
    pub oom_kills: u64,
}

/// Why a cell or its runtime did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Nothing on this machine serves the runtime.
    #[error("{advice}")]
    RuntimeUnavailable {
        /// What was asked for.
        runtime: Runtime,
        /// Why, and how to get it.
        advice: String,
    },
    /// The package has no program to start: the function's fault, reported as `Runtime.InvalidEntrypoint`.
    #[error("{0}")]
    InvalidEntrypoint(String),
    /// The machine failed.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// The machine failed: what was attempted, and why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);
