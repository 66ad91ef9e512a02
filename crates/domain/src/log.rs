//! A line on its way from a function to its log group.

use std::sync::Arc;

use crate::{Scope, Timestamp};

/// One log event of a function. Lines leave the invoke path through a bounded channel of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where the group lives.
    pub scope: Scope,
    /// `/aws/lambda/<function>` unless the function's logging configuration says otherwise.
    pub group: Arc<str>,
    /// One stream per execution environment.
    pub stream: Arc<str>,
    /// When the function wrote it.
    pub at: Timestamp,
    /// Without the final line break.
    pub message: String,
}
