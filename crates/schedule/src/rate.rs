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

/// Whether the unit of a rate must be singular for one and plural for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Units {
    /// `1 minute`, `2 minutes`: the other way round is refused.
    Agree,
    /// Either form for any value.
    Either,
}

impl Rate {
    pub(crate) fn parse(text: &str, units: Units) -> Result<Self, Invalid> {
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
        let (singular, is_plural) = unit.strip_suffix('s').map_or((unit, false), |singular| (singular, true));
        let seconds = match singular {
            "minute" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            _ => {
                return Err(Invalid::new("a rate's unit is minute, minutes, hour, hours, day or days"));
            }
        };
        if units == Units::Agree && is_plural != (value > 1) {
            return Err(Invalid::new("a rate's unit is singular for 1 and plural for more"));
        }
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
