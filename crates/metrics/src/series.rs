//! What is measured, and its numbers.

use std::collections::BTreeMap;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};

/// Names and values that tell one series of a metric from another.
pub type Dimensions = BTreeMap<String, String>;

/// One metric with its dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// Where it was measured.
    pub scope: Scope,
    /// `AWS/Lambda`
    pub namespace: String,
    /// `Invocations`
    pub metric: String,
    /// `FunctionName` and the like.
    pub dimensions: Dimensions,
}

/// What was recorded in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// `SampleCount`
    pub count: u64,
    /// `Sum`
    pub sum: f64,
    /// `Minimum`
    pub min: f64,
    /// `Maximum`
    pub max: f64,
}

impl Statistics {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        self.merge(&Self { count: 1, sum: value, min: value, max: value });
    }

    /// Adds what was recorded elsewhere in the same minute.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        self.count += other.count;
        self.sum += other.sum;
        self.min = if first { other.min } else { self.min.min(other.min) };
        self.max = if first { other.max } else { self.max.max(other.max) };
    }
}

/// The numbers of a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the minute began.
    pub at: Timestamp,
    /// Its numbers.
    pub statistics: Statistics,
}

const MINUTE_MS: i64 = 60_000;

/// The minute of a moment, counted from the epoch.
pub(crate) fn minute(at: Timestamp) -> u64 {
    u64::try_from(at.0.div_euclid(MINUTE_MS)).unwrap_or_default()
}

/// When a minute begins.
pub(crate) fn start(minute: u64) -> Timestamp {
    Timestamp(i64::try_from(minute).unwrap_or(i64::MAX / MINUTE_MS).saturating_mul(MINUTE_MS))
}
