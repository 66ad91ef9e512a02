//! `at(yyyy-mm-ddThh:mm:ss)`

use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Invalid;

pub(crate) fn parse(text: &str) -> Result<DateTime, Invalid> {
    // The form has no fractions, no zone and no other separators.
    const FORM: &str = "%Y-%m-%dT%H:%M:%S";
    const LENGTH: usize = 19;
    let read = DateTime::strptime(FORM, text).ok().filter(|_| text.len() == LENGTH);
    read.ok_or_else(|| Invalid::new("a date and time is written like 2026-11-20T13:00:00"))
}

/// The moment that a zone's clocks show it. One that they skip comes as late as it would have.
pub(crate) fn moment(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(at).ok().map(|moment| Timestamp(moment.as_millisecond()))
}
