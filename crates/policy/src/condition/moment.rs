//! Moments: ISO 8601 as W3C profiles it, or seconds since 1970.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what does not fit is no moment, which jiff says"
        )]
        let milliseconds = (seconds * 1000.0) as i64;
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    // Without a zone it is in UTC; a day alone is its first moment.
    let civil = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())));
    civil.and_then(|civil| Some(TimeZone::UTC.to_zoned(civil).ok()?.timestamp()))
}
