//! Streams: create, describe, delete.

mod create;
mod delete;
mod describe;

pub use create::create;
pub use delete::delete;
pub use describe::describe;
