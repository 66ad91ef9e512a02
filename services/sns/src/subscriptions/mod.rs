//! Subscriptions.

mod attributes;
mod confirm;
mod list;
mod subscribe;
mod unsubscribe;
mod view;

pub(crate) use attributes::{dead_letter_queue, set_attributes};
pub(crate) use confirm::{confirm, confirm_by_token};
pub(crate) use list::{list, list_by_topic};
pub(crate) use subscribe::{is_phone_number, subscribe};
pub(crate) use unsubscribe::{unsubscribe, unsubscribe_by_link};
pub(crate) use view::get_attributes;
