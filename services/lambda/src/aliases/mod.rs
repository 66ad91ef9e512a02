//! Aliases: names that point to one version of a function, or by weight to two.

mod create;
mod delete;
mod get;
mod list;
mod record;
mod routing;
mod update;
mod validate;
mod view;

pub use create::create;
pub use delete::delete;
pub use get::get;
pub use list::list;
pub use record::{ALIASES, AliasRecord, alias_arn};
pub use routing::{Additional, Chance, Routing};
pub use update::update;
