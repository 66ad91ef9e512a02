//! The two spellings of a request's time.

use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::Offset;

/// `20150830T123600Z`, the only spelling of `X-Amz-Date`.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<i16> {
        bytes[range]
            .iter()
            .try_fold(0_i16, |sum, &digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
    };
    let small = |range| number(range).and_then(|value| i8::try_from(value).ok());
    let (year, month, day) = (number(0..4)?, small(4..6)?, small(6..8)?);
    let (hour, minute, second) = (small(9..11)?, small(11..13)?, small(13..15)?);
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(Timestamp(Offset::UTC.to_timestamp(civil).ok()?.as_millisecond()))
}

/// What a `Date` header may hold: the basic format too, or the format of HTTP and mail.
pub(crate) fn parse_date_header(text: &str) -> Option<Timestamp> {
    parse_basic(text).or_else(|| Some(Timestamp(rfc2822::parse(text).ok()?.timestamp().as_millisecond())))
}

/// `20150830T123600Z`
pub(crate) fn format_basic(moment: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(moment.epoch_ms()).unwrap_or_default();
    let at = Offset::UTC.to_datetime(instant);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_moment() {
        let moment = Timestamp(1_440_938_160_000);
        assert_eq!(parse_basic("20150830T123600Z"), Some(moment));
        assert_eq!(parse_date_header("Sun, 30 Aug 2015 12:36:00 GMT"), Some(moment));
        assert_eq!(format_basic(moment), "20150830T123600Z");
    }

    #[test]
    fn a_time_that_is_not_one_is_refused() {
        for text in ["", "2015083T123600Z", "20151330T123600Z", "20150830 123600Z", "20150830T12360éZ"] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }
}
