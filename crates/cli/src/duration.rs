//! Spans of time as people write them: `30s`, `5m`, `2h`, `1d`, `1w`.

use std::time::Duration;

/// Understands what `aws logs tail --since` does.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a span of time; write it like 30s, 5m, 2h, 1d or 1w");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(wrong()),
    };
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("1w"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "5", "m", "5 m", "-5m", "5y", "99999999999999999999s", "9999999999999999999w"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
