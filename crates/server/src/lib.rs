//! The composition root: opens the store, starts the engine and the services, listens, and drains at the end.

pub mod config;
mod confine;
mod descriptors;
mod facts;
mod guards;
mod identity;
mod measured;
mod reset;
mod routes;
mod sdk;
mod start;
mod targets;
mod time;

pub use config::Config;
pub use facts::Facts;
pub use start::{Prepared, Server};
