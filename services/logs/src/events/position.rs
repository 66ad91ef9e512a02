//! Where an event stands in time, and ranges of such places.

use domain::Timestamp;

use crate::record::GroupRecord;

/// A place between events: just before the event with this time and number, whether there is one or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The event's time.
    pub at: Timestamp,
    /// Its number.
    pub number: u64,
}

impl Position {
    /// Before all events of a moment.
    pub fn start_of(at: Timestamp) -> Self {
        Self { at, number: 0 }
    }

    /// After this event, and before the next.
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// 56 digits, greater for later events, as CloudWatch Logs numbers events: a leading digit, the time, the number.
    pub fn digits(self) -> String {
        format!("3{:019}{:036}", self.at.0.max(0), self.number)
    }

    /// Reads what [`Position::digits`] wrote.
    pub fn parse_digits(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('3')
            .filter(|rest| rest.len() == 55 && rest.bytes().all(|b| b.is_ascii_digit()))?;
        Some(Self { at: Timestamp(digits[..19].parse().ok()?), number: digits[19..].parse().ok()? })
    }
}

/// The events between two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// From here on.
    pub from: Position,
    /// Up to here.
    pub to: Position,
}

impl Range {
    /// Between two moments, the second excluded; of what the group still keeps.
    pub fn of_times(group: &GroupRecord, now: Timestamp, start: Option<i64>, end: Option<i64>) -> Self {
        let start = Timestamp(start.unwrap_or(0)).max(group.cutoff(now));
        let end = Timestamp(end.unwrap_or(i64::MAX));
        Self { from: Position::start_of(start), to: Position::start_of(end) }
    }

    /// Of those, the events from a place on.
    pub fn from(self, position: Position) -> Self {
        Self { from: self.from.max(position), ..self }
    }

    /// Of those, the events before a place.
    pub fn up_to(self, position: Position) -> Self {
        Self { to: self.to.min(position), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_56_and_order_as_positions_do() {
        let positions = [(0, 0), (0, 7), (1, 0), (1_700_000_000_000, 12), (1_700_000_000_001, u64::MAX)];
        let positions = positions.map(|(at, number)| Position { at: Timestamp(at), number });
        let digits = positions.map(Position::digits);
        assert!(digits.is_sorted() && digits.iter().all(|text| text.len() == 56), "{digits:?}");
        for (position, text) in positions.iter().zip(&digits) {
            assert_eq!(Position::parse_digits(text), Some(*position));
        }
        for wrong in ["", "3", "4".repeat(56).as_str(), &"3".repeat(57), "é", &format!("3{}", "x".repeat(55))]
        {
            assert_eq!(Position::parse_digits(wrong), None, "{wrong}");
        }
    }
}
