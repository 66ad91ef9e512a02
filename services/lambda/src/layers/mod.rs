//! Layers: archives that functions share, unpacked one over the other into `/opt`.
//!
//! A layer is a name under which versions are published; a version never changes and its number is never used again.
//! A function keeps a [`LayerReference`] of its own for each version it uses, so that a version can be deleted while
//! functions go on with it: its zip stays in the blob store until neither a version nor a function names it.

mod delete;
mod get;
mod list;
mod permissions;
mod policy;
mod publish;
mod record;
mod references;
mod target;
mod view;

#[cfg(test)]
mod tests;

pub use delete::delete;
pub use get::{get, get_by_arn};
pub use list::{list, list_versions};
pub use permissions::{add_permission, get_policy, remove_permission};
pub use publish::publish;
pub use record::{LayerReference, stored_bytes, stored_codes};
pub use references::{check_size, resolve};
