//! HTTP, AWS's wire formats, and the way of a request to the function that serves it.
//!
//! A service gives its generated model and a table of handlers ([`Service::new`]); from there on this crate decodes,
//! validates, calls and encodes. It knows no service.

mod by_name;
mod context;
mod error;
mod event_stream;
pub mod gateway;
pub mod generated;
pub mod multipart;
pub mod pages;
mod pattern;
mod protocol;
pub mod record;
mod route;
pub mod schema;
mod service;
mod sigv2;
pub mod sigv4;
pub mod tags;
mod validate;
mod value;

pub use context::Context;
pub use error::Error;
pub use event_stream::{EventStream, Events};
pub use record::{Datum, Operation, Record, Unit, UnknownValue};
pub use route::Labels;
pub use service::{Body, Handler, Request, Response, Service, Table};
pub use value::{Fields, Value};
