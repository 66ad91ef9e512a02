//! Rules by which objects, versions and uploads go by themselves.
//!
//! What is due is found by a walk over a bucket at midnight UTC, as S3 counts, and at once when rules are set. Then an alarm
//! is set for the next moment at which something will be due; a change in a bucket with rules sets it for the next midnight.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

mod check;
mod configure;
mod rules;
mod run;
mod told;

pub(crate) use configure::{delete, get, put};
pub(crate) use run::{Due, start, stir};
pub(crate) use told::told;
