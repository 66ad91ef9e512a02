//! Which of a function's JSON lines are wanted, by `ApplicationLogLevel`.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Whether a line passes the level. Lines that are no JSON objects do; a missing or unknown level counts as INFO.
pub(crate) fn is_wanted(line: &str, minimum: Option<&str>) -> bool {
    let rank = |level: &str| LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level));
    let info = rank("INFO").unwrap_or_default();
    let minimum = minimum.and_then(rank).unwrap_or(info);
    if !line.trim_start().starts_with('{') {
        return true;
    }
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(line) => line["level"].as_str().and_then(rank).unwrap_or(info) >= minimum,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_below_the_level_are_not_wanted() {
        let check = |line, minimum, expected| assert_eq!(is_wanted(line, minimum), expected, "{line}");
        check(r#"{"level":"DEBUG"}"#, None, false);
        check(r#"{"level":"debug"}"#, Some("TRACE"), true);
        check(r#"{"level":"WARN"}"#, Some("ERROR"), false);
        check(r#"{"level":"odd"}"#, Some("INFO"), true);
        check(r#"{"message":"no level"}"#, Some("WARN"), false);
        check("plain text", Some("FATAL"), true);
        check("{not json", Some("FATAL"), true);
    }
}
