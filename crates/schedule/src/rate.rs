//! `rate(value unit)`

use std::time::Duration;

use domain::Timestamp;

use crate::Invalid;

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How long it is.
    pub every: Duration,
}

impl Rate {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split(' ');
        let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else {
            return Err(Invalid::new("a rate is a number and a unit"));
        };
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = value
            .parse()
            .ok()
            .filter(|value| digits && *value > 0)
            .ok_or_else(|| Invalid::new("a rate's value is a positive whole number"))?;
        // One minute, but two minutes: the other way round is refused.
        let seconds = match (unit, value) {
            ("minute", 1) => 60,
            ("hour", 1) => 3_600,
            ("day", 1) => 86_400,
            ("minutes", 2..) => 60,
            ("hours", 2..) => 3_600,
            ("days", 2..) => 86_400,
            _ => {
                return Err(Invalid::new(
                    "a rate's unit is minute, minutes, hour, hours, day or days, to fit its value",
                ));
            }
        };
        let every = value.checked_mul(seconds).filter(|seconds| *seconds <= SECONDS_MAX);
        Ok(Self {
            every: Duration::from_secs(
                every.ok_or_else(|| Invalid::new("a rate is at most 31622400 minutes"))?,
            ),
        })
    }

    /// Multiples of the interval since the beginning.
    pub(crate) fn next(self, after: Timestamp, since: Timestamp) -> Timestamp {
        let every = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX);
        if after.0 < since.0 {
            return Timestamp(since.0.saturating_add(every));
        }
        let passed = (after.0 - since.0) / every;
        Timestamp(since.0.saturating_add((passed + 1).saturating_mul(every)))
    }
}

/// More than any schedule needs, and few enough milliseconds to count with.
const SECONDS_MAX: u64 = 31_622_400 * 60;
