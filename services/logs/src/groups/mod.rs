//! Groups: create, describe, retention, tags, delete.

mod create;
mod delete;
mod describe;
mod retention;
mod tags;
mod target;

pub use create::create;
pub use delete::delete;
pub use describe::describe;
pub use retention::{delete_retention, put_retention};
pub use tags::{
    list_tags_for_resource, list_tags_log_group, tag_log_group, tag_resource, untag_log_group, untag_resource,
};
pub use target::{arn, name_of};
