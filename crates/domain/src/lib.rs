//! The nouns of Hearth: what an account, a function, a version and a runtime are, and the limits they live under.
//!
//! Nothing here does I/O, knows a wire format or waits; every other crate may depend on it.

mod bucket;
mod clock;
mod credentials;
mod function;
pub mod limits;
mod log;
mod runtime;
mod scope;
mod version;

pub use bucket::Bucket;
pub use clock::{Clock, SystemClock, Timestamp};
pub use credentials::{Credentials, Principal};
pub use function::{FunctionName, FunctionRef, InvalidFunctionRef, Qualifier};
pub use log::LogLine;
pub use runtime::{Family, Runtime, UnknownRuntime};
pub use scope::{Account, Region, Scope};
pub use version::{CodeRef, FunctionVersion, LogFormat, LoggingConfig, TracingMode, Version};
