//! Event source mappings: which queue or stream calls which function, and how.
//!
//! Here they are only written down. Who polls reads [`crate::Lambda::mappings`], and again whenever
//! [`crate::Lambda::mappings_changed`] rings.

mod create;
mod delete;
mod get;
mod list;
mod record;
mod run;
mod settings;
mod settle;
mod source;
mod update;
mod view;

pub use create::create;
pub use delete::delete;
pub use get::get;
pub use list::list;
pub use record::{MAPPINGS, MappingRecord, MappingState, find, id, not_found};
pub use run::MappedError;
pub use settings::{FailureDestination, Settings, StartingPosition};
pub use settle::settle_unfinished;
pub use source::{EventSource, EventSourceError, QueueFacts, SourceKind};
pub use update::{check_function_timeout, update};
