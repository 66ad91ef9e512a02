//! Schedules.

mod check;
mod create;
mod delete;
mod due;
mod fire;
mod get;
mod list;
mod target;
mod update;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use fire::{Name, run, set_all};
pub(crate) use get::get;
pub(crate) use list::list;
pub use target::universal;
pub(crate) use update::update;
