//! When something is due: `rate(…)`, `cron(…)` and `at(…)` in AWS's dialect, in any time zone.
//!
//! Pure: text in, moments out. EventBridge's rules and EventBridge Scheduler use it.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

mod at;
mod cron;
mod field;
mod rate;

#[cfg(test)]
mod tests;

use domain::Timestamp;

pub use cron::Cron;
pub use rate::Rate;
use rate::Units;

/// A time zone by its IANA name.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// The zone that EventBridge's rules are in.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// Finds a zone, such as `Europe/Berlin`.
    pub fn find(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }
}

/// A schedule that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Every so often.
    Rate(Rate),
    /// Whenever the calendar and the clock show something.
    Cron(Cron),
    /// Once, at a date and time without a zone.
    At(jiff::civil::DateTime),
}

/// The text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl Schedule {
    /// Reads `rate(5 minutes)`, `cron(0 12 * * ? *)` or `at(2026-11-20T13:00:00)` as EventBridge's rules do.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html>
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::parse_with(text, Units::Agree)
    }

    /// The same as EventBridge Scheduler does: it takes `rate(1 hours)` and `rate(5 hour)`, too, and its own guide and
    /// Terraform's use them.
    pub fn parse_for_scheduler(text: &str) -> Result<Self, Invalid> {
        Self::parse_with(text, Units::Either)
    }

    fn parse_with(text: &str, units: Units) -> Result<Self, Invalid> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inner("rate") {
            return Rate::parse(rate, units).map(Self::Rate);
        }
        if let Some(cron) = inner("cron") {
            return Cron::parse(cron).map(Self::Cron);
        }
        if let Some(at) = inner("at") {
            return at::parse(at).map(Self::At);
        }
        Err(Invalid::new("a schedule is rate(…), cron(…) or at(…)"))
    }

    /// The first moment after another at which it is due. A rate counts from `since`.
    pub fn next(&self, after: Timestamp, since: Timestamp, zone: &Zone) -> Option<Timestamp> {
        match self {
            Self::Rate(rate) => Some(rate.next(after, since)),
            Self::Cron(cron) => cron.next(after, &zone.0),
            Self::At(at) => at::moment(*at, &zone.0).filter(|moment| *moment > after),
        }
    }
}
