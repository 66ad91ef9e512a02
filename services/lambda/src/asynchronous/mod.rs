//! Asynchronous invocation: accepted now, run soon, tried again if need be, and reported on in the end.
//!
//! An event is a delivery to the function ([`accept`]); so is whatever SNS, S3 or a schedule sends it. [`attempt`] runs
//! it, [`verdict`] decides what comes of that, [`report`] says so to destinations and dead-letter queues.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>

mod accept;
mod attempt;
mod report;
mod settings;
mod verdict;

pub use accept::{accept, invoke_async};
pub use settings::Settings;
