//! From what a function prints, and what the platform says about it, to lines on their way to the log group.

mod journal;
mod level;
mod lines;
mod output;
mod platform;

pub(crate) use journal::Journal;
pub(crate) use level::is_wanted;
pub(crate) use output::Output;
pub(crate) use platform::{Event as Said, InitReport, InitStart, Phase, Platform, Report, Span, Status};
