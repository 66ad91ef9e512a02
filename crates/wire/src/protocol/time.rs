//! Moments as text.

use domain::Timestamp;

use super::Malformed;
use crate::schema::TimestampFormat;

/// Writes a moment. Fractions of a second appear only where there are some.
pub(super) fn format(moment: Timestamp, format: TimestampFormat) -> String {
    let epoch_ms = moment.epoch_ms();
    let time = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    match format {
        TimestampFormat::UnixTimestamp if epoch_ms % 1000 == 0 => (epoch_ms / 1000).to_string(),
        TimestampFormat::UnixTimestamp => moment.epoch_seconds().to_string(),
        TimestampFormat::Iso8601 if epoch_ms % 1000 == 0 => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        TimestampFormat::Iso8601 => time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        TimestampFormat::Rfc822 => time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

/// Reads a moment in any of the formats: clients mix them.
pub(super) fn parse(text: &str) -> Result<Timestamp, Malformed> {
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(time.as_millisecond()));
    }
    let zoned = jiff::fmt::rfc2822::parse(text);
    zoned.map(|zoned| Timestamp(zoned.timestamp().as_millisecond())).map_err(|_| unreadable(text))
}

/// Seconds since the epoch, to the millisecond.
pub(super) fn from_seconds(seconds: f64) -> Result<Timestamp, Malformed> {
    let milliseconds = (seconds * 1000.0).round();
    // A range that jiff can print: the years -9999 to 9999.
    if !(-377_705_023_201_000.0..=253_402_207_200_000.0).contains(&milliseconds) {
        return Err(unreadable(&seconds.to_string()));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let milliseconds = milliseconds as i64;
    Ok(Timestamp(milliseconds))
}

fn unreadable(text: &str) -> Malformed {
    Malformed::new(format!("{text:?} can not be converted to a Timestamp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_written_and_read() {
        for (moment, written, expected) in [
            (1_784_000_000_000, TimestampFormat::Iso8601, "2026-07-14T03:33:20Z"),
            (1_784_000_000_120, TimestampFormat::Iso8601, "2026-07-14T03:33:20.120Z"),
            (1_784_000_000_000, TimestampFormat::UnixTimestamp, "1784000000"),
            (1_784_000_000_120, TimestampFormat::UnixTimestamp, "1784000000.12"),
            (1_784_000_000_000, TimestampFormat::Rfc822, "Tue, 14 Jul 2026 03:33:20 GMT"),
        ] {
            assert_eq!(format(Timestamp(moment), written), expected);
            assert_eq!(parse(expected).unwrap(), Timestamp(moment), "{expected}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "soon", "NaN", "inf", "1e300", "2026-13-01T00:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
