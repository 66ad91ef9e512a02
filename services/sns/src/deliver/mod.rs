//! Delivering a parcel to its endpoint: one attempt, and what came of it.

mod attempt;
mod http;
mod people;
mod pipeline;
mod queue;

pub use attempt::{MayInvoke, SendError, ToQueue};
pub(crate) use http::Web;
pub use pipeline::IN_ORDER;
pub(crate) use pipeline::{accept, attempt};
pub use queue::{QueueAttribute, QueueMessage};
