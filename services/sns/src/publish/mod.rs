//! Publishing: check a message, then hand it to every subscription that wants it, in one transaction.

mod batch;
mod fan_out;
mod fifo;
mod from_pipeline;
mod message;
mod one;
mod render;
mod signature;
mod structure;

pub(crate) use batch::publish_batch;
pub(crate) use fan_out::ask_to_confirm;
pub(crate) use fifo::forget_topic;
pub(crate) use from_pipeline::publish_delivery;
pub(crate) use message::{Attribute, AttributeKind};
pub(crate) use one::publish;
pub(crate) use render::{Notification, Question, subscribe_url, time_shown};
pub(crate) use signature::{CERTIFICATE_PATH, Signer, SignerCell};
