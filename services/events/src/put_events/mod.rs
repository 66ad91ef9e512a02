//! `PutEvents`: check an event, find the rules that want it, send it to their targets.

mod entry;
mod event;
mod input;
mod path;
mod put;
mod rules;
mod send;
mod test_pattern;

pub(crate) use event::Event;
pub(crate) use input::check_template;
pub(crate) use path::JsonPath;
pub(crate) use put::{put, put_delivery};
pub(crate) use rules::Rules;
pub(crate) use send::{accept_for_rules, send_to_targets};
pub(crate) use test_pattern::test_pattern;
