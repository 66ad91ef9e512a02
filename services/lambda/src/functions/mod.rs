//! Functions: create, read, update, delete.

mod connections;
mod create;
mod delete;
mod get;
mod list;
mod settle;
mod target;
mod update_code;
mod update_configuration;
mod validate;
mod view;

pub use connections::{Connections, vpc_id};
pub use create::create;
pub use delete::{delete, forget};
pub use get::{get, get_configuration};
pub use list::list;
pub use settle::{settle, settle_unfinished};
pub use target::Target;
pub use update_code::update_code;
pub use update_configuration::update_configuration;
pub use validate::{runtime_ids, tags as validate_tags};
pub use view::{code_sha256, configuration, iso_timestamp, summary, timestamp};
