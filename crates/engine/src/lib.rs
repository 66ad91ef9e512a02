//! An invocation's life: admission, placement, execution environments and the Runtime API they speak.
//!
//! The engine knows function versions and payloads. It knows neither AWS's request shapes nor who calls: services
//! resolve, authorise and check, then hand over an [`Invocation`]; they map an [`InvokeError`] to AWS's error.
//! What a function itself did wrong (an exception, a timeout, a crash) is no `InvokeError` but an [`Outcome`] with
//! [`Outcome::function_error`] set, as on Lambda.
//!
//! ```text
//! invoke → admission (may it run now?) → placement (which environment?) → environment (state machine and task)
//!        → isolation (a sandbox, or a fake in tests) ⇄ runtime_api (next, response, error) → logs → Outcome
//! ```

mod admission;
mod engine;
mod environment;
mod extensions;
mod idle;
mod invocation;
pub mod isolation;
mod local;
mod logs;
mod observation;
mod options;
mod pace;
pub mod package;
mod placement;
mod provisioning;
mod runtime_api;
mod runtime_version;
mod telemetry;
#[cfg(test)]
mod tests;
mod trace;

pub use engine::Engine;
pub use invocation::{
    Capacity, FunctionError, FunctionKey, Invocation, InvokeError, Outcome, Response, ResponseStream, Start,
    ThrottleReason,
};
pub use observation::{InUse, Observation, Observed, Observer};
pub use options::{CredentialsProvider, Limits, Options};
pub use pace::Bandwidth;
pub use provisioning::{Allocation, AllocationStatus, Concurrency, Initialization, Kept};
pub use runtime_version::runtime_version_arn;
