//! One execution environment: a pure [`state`] that decides, and a [`task`] that acts.

mod deadlines;
mod outcome;
mod state;
mod task;

pub(crate) use state::{Answer, ExtensionNumber, ExtensionSet, Refusal};
pub(crate) use task::run;
