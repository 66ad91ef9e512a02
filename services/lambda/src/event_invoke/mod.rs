//! How asynchronous invocations of a function, version or alias are retried, and where their results go.
//!
//! Only kept here: whoever delivers asks [`crate::Lambda::event_invoke_config`] when it matters.

mod delete;
mod destination;
mod get;
mod put;
mod record;

pub use delete::delete;
pub use destination::{Deliverable, can_deliver, service as arn_service};
pub use get::{get, list};
pub use put::{put, update};
pub use record::{EVENT_INVOKE_CONFIGS, EventInvokeConfig};
