//! Events: put, get, filter.

mod filter;
mod get;
mod position;
mod put;
mod walk;

pub use filter::filter;
pub use get::get;
pub use put::{put, sequence_token};

/// Events to a page, unless the caller wants fewer.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
const PAGE_EVENTS_MAX: usize = 10_000;
/// What the events of a page may take, in bytes.
const PAGE_BYTES_MAX: usize = 1 << 20;

fn page_events(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS_MAX).clamp(1, PAGE_EVENTS_MAX)
}
