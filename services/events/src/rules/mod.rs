//! Rules.

mod delete;
mod describe;
mod list;
mod put;
mod state;

pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use list::{list, list_names_by_target};
pub(crate) use put::put;
pub(crate) use state::{disable, enable};
