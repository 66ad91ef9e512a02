//! Topics.

mod attributes;
mod create;
mod delete;
mod list;
mod policy;
mod set;
mod view;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use list::list;
pub(crate) use policy::{add_permission, effective_policy, remove_permission};
pub(crate) use set::set_attributes;
pub(crate) use view::get_attributes;
