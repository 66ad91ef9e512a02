//! IAM's policy language: what a document says, and whether it allows a request.
//!
//! A [`Document`] is parsed once and asked often. A [`Request`] is who wants to do what to which resource, with the
//! [`Context`] that conditions ask about. [`decide`] joins the policies of the caller with those of the resource as AWS
//! does; [`granted`] reads those of one side alone.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
//!
//! Which policies somebody has, who somebody is, and what a refusal is called are left to the services.

mod access;
mod condition;
mod context;
mod decide;
mod document;
mod glob;
mod parse;
mod principal;

pub use access::ResourceAccess;
pub use context::{Context, Value};
pub use decide::{Decision, Grant, Request, decide, granted, join};
pub use document::{Document, Effect, Kind, Statement};
pub use parse::ParseError;
pub use principal::{Caller, Principals};
