//! How a function's asynchronous events are to be treated.

use std::time::Duration;

use domain::limits::{EVENT_AGE_MAX, EVENT_RETRIES_MAX};

use crate::EventInvokeConfig;

/// What is configured for a function and the qualifier that it was called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often an event that made the function fail is tried again.
    pub retries_max: u32,
    /// How old an event may become.
    pub age_max: Duration,
    /// Hears of successes.
    pub on_success: Option<String>,
    /// Hears of events that were given up.
    pub on_failure: Option<String>,
}

impl Settings {
    /// What a configuration says; the rest is as AWS has it by default.
    pub fn of(config: EventInvokeConfig) -> Self {
        let usual = Self::default();
        Self {
            retries_max: config.maximum_retry_attempts.map_or(usual.retries_max, u32::from),
            age_max: config
                .maximum_event_age_seconds
                .map_or(usual.age_max, |seconds| Duration::from_secs(seconds.into())),
            on_success: config.on_success,
            on_failure: config.on_failure,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { retries_max: EVENT_RETRIES_MAX, age_max: EVENT_AGE_MAX, on_success: None, on_failure: None }
    }
}
