//! The Telemetry API and the older Logs API: what an environment logs, posted to the extensions that subscribed to it.
//!
//! [`Subscription`] is what an extension asked for. Each has a [`Queue`] of what waits and a task that posts it into the
//! sandbox; nothing here is ever waited for by an invocation. A subscriber that falls behind loses entries and is told
//! how many. Without a subscriber nothing is formatted.
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html>

mod delivery;
mod entry;
mod queue;
mod subscription;

pub(crate) use delivery::deliver;
pub(crate) use entry::{Content, Entry, Origin};
pub(crate) use queue::Queue;
pub(crate) use subscription::{Api, Kind, Subscription};
