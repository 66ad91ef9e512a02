//! The handle that everyone else holds.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::{FunctionKey, Invocation, InvokeError, Options, Outcome};

/// Runs functions. A cheap handle: clones share one engine.
#[derive(Clone)]
pub struct Engine {
    options: Arc<Options>,
}

impl Engine {
    /// Starts the engine. Must be called inside an async runtime.
    pub fn start(options: Options) -> Self {
        Self { options: Arc::new(options) }
    }

    /// Runs one invocation to its end. It runs on even if the caller stops waiting.
    pub async fn invoke(&self, _invocation: Invocation) -> Result<Outcome, InvokeError> {
        // Placement arrives with the next commit; until then the engine says that it is not up.
        let _ = &self.options;
        Err(InvokeError::ShuttingDown)
    }

    /// After an update or a deletion: environments of the function's other revisions stop as soon as they are idle.
    /// Running invocations finish first, and so do those that already wait.
    pub fn retire(&self, _function: &FunctionKey, _keep: impl IntoIterator<Item = Uuid>) {}

    /// Refuses new invocations, lets running ones finish until `deadline` has passed, then stops every environment.
    pub async fn shutdown(&self, _deadline: Duration) {}
}

/// The machine's memory, in MiB.
pub(crate) fn machine_memory_mib() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram as u64 * u64::from(info.mem_unit) / (1024 * 1024)
}
