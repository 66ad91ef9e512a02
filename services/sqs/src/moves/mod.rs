//! Move tasks: what was dead-lettered goes back, at the pace that its owner wants. A task survives a restart.

mod api;
mod mover;
mod record;

pub use api::{cancel, list, start};
pub use mover::resume;
pub use record::MoveRecord;
