//! Archives of events, and replays of them.

mod create;
mod keep;
mod manage;
mod replay;
mod replays;
mod view;

pub(crate) use create::{create, update};
pub(crate) use keep::keep;
pub(crate) use manage::{delete, describe, list};
pub(crate) use replay::run as run_replay;
pub(crate) use replays::{cancel, describe as describe_replay, list as list_replays, start};
