//! What the engine is started with.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Credentials, FunctionVersion, LogLine, SystemClock, limits};
use tokio::sync::mpsc;

use crate::isolation::Isolation;
use crate::{Bandwidth, Observer};

/// Mints the credentials of a function's role; called once for each start of an environment.
pub type CredentialsProvider = Arc<dyn Fn(&FunctionVersion) -> Credentials + Send + Sync>;

/// Everything the engine needs from its surroundings.
#[derive(Clone)]
pub struct Options {
    /// Where environments run: [`crate::isolation::Linux`], or a fake in tests.
    pub isolation: Arc<dyn Isolation>,
    /// Takes every log line. When it is full, functions that print wait; invocations that do not print never do.
    pub logs: mpsc::Sender<LogLine>,
    /// Mints the credentials of a function's role.
    pub credentials: CredentialsProvider,
    /// Hears of every invocation that ended or could not begin.
    pub observer: Option<Observer>,
    /// `AWS_ENDPOINT_URL` inside functions.
    pub endpoint_url: String,
    /// The time of day, for log lines. Deadlines go by the machine's clock, durations by the monotonic one.
    pub clock: Arc<dyn Clock>,
    /// Numbers.
    pub limits: Limits,
}

impl Options {
    /// Options with the machine's clock, the default endpoint and the default limits.
    pub fn new(
        isolation: Arc<dyn Isolation>,
        logs: mpsc::Sender<LogLine>,
        credentials: CredentialsProvider,
    ) -> Self {
        Self {
            isolation,
            logs,
            credentials,
            observer: None,
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
        }
    }
}

/// The engine's numbers.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Concurrent executions of each account and region.
    pub concurrency: u32,
    /// Environments that a function may start in [`limits::SCALING_INTERVAL`].
    pub starts_per_interval: u32,
    /// Synchronous requests that may come in a second for each unit of concurrency.
    pub requests_per_concurrency: u32,
    /// How long the Init phase may take before it is retried inside the first invocation.
    pub init_timeout: Duration,
    /// How long an environment may wait for its next invocation before it is stopped.
    pub idle_age: Duration,
    /// What all idle environments together may hold, in MiB; the cheapest to re-create go first.
    pub idle_memory_mib: u64,
    /// What must stay free on the machine, in MiB: no environment is started into this reserve.
    pub reserve_memory_mib: u64,
    /// How long an environment may wait before it is frozen. Freezing and thawing cost 0.1 to 0.2 ms each, so an
    /// environment in steady use is left running; one that rests does not run in the background.
    pub freeze_after: Duration,
    /// How long a runtime may take from its response to its next call before a waiting request stops counting on it.
    pub release_grace: Duration,
    /// How fast a streamed response may go.
    pub stream_bandwidth: Bandwidth,
    /// How large a streamed response may be, in bytes.
    pub stream_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: limits::CONCURRENT_EXECUTIONS,
            starts_per_interval: limits::SCALING_STARTS,
            requests_per_concurrency: limits::REQUESTS_PER_CONCURRENCY,
            init_timeout: limits::INIT_TIMEOUT,
            idle_age: Duration::from_secs(10 * 60),
            idle_memory_mib: crate::engine::machine_memory_mib() / 4,
            reserve_memory_mib: (crate::engine::machine_memory_mib() / 10).min(1024),
            freeze_after: Duration::from_millis(10),
            release_grace: Duration::from_millis(50),
            stream_bandwidth: Bandwidth::default(),
            stream_bytes_max: limits::STREAMED_RESPONSE_BYTES,
        }
    }
}
