//! Runtime families: what serves each runtime identifier on this machine, how it is started, and the runtime clients.
//!
//! [`Catalogue::detect`] finds the machine's interpreters once; [`Catalogue::serve`] says which of them serves an
//! identifier; a [`Serving`] says what its sandbox's root is made of and what is started in it. Starting it, feeding
//! it and limiting it is the engine's and the sandbox's business.

mod cache;
mod candidates;
mod catalogue;
mod choice;
mod clients;
mod environment;
mod fetch;
mod files;
mod interpreter;
mod java;
mod libraries;
mod probe;
pub mod sdk;
mod serving;
mod stem;
mod table;
mod tools;

pub use candidates::Search;
pub use catalogue::{Catalogue, DetectError, DetectOptions, Entry, EntryStatus, Policy, Unavailable};
pub use choice::Fit;
pub use environment::{Session, needs_fresh_start, of_extension, of_function};
pub use fetch::{FetchError, FetchProgress, Fetched, fetch};
pub use interpreter::{Interpreter, Version};
pub use serving::{Command, Serving};
pub use stem::{STEM_FD, STEM_VARIABLE, specialisation};
