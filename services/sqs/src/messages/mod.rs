//! What is done with messages.

mod batch;
mod delete;
mod receive;
mod send;
mod visibility;

pub use delete::{delete, delete_batch};
pub use receive::receive;
pub use send::{send, send_batch};
pub use visibility::{change_visibility, change_visibility_batch};

pub(crate) use receive::{SYSTEM_ATTRIBUTES, system_attribute};
pub(crate) use send::{Draft, sequence_number};
