//! Resource policies: who besides its own account may do what to a function, a version or an alias.
//!
//! A policy is one document. `AddPermission` adds a statement to it in AWS's own form, `PutResourcePolicy` replaces the
//! whole. Each qualifier has a policy of its own; that of the function itself is not that of its versions and aliases.

mod add;
mod authorise;
mod conditions;
mod document;
mod get;
mod guard;
mod known;
mod record;
mod remove;
mod requirements;
mod resource_policy;
mod statement;

pub use add::add;
pub use authorise::{Identify, Identity};
pub use conditions::resource_tags;
pub use document::PolicyDocument;
pub use get::get;
pub use guard::guard;
pub use record::POLICIES;
pub use remove::{no_such_statement, remove};
pub use resource_policy::{delete_resource_policy, get_resource_policy, put_resource_policy};
pub use statement::{Principal, Statement};
