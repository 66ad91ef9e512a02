//! Numbers, compared by value and not by spelling.

use std::cmp::Ordering;

/// A JSON number. Whole numbers are exact, so that account ids and the like do not collide.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// Without fraction or exponent.
    Whole(i128),
    /// Any other.
    Real(f64),
}

impl Number {
    /// From a spelling that is JSON.
    pub(crate) fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(whole) => Self::Whole(whole),
            Err(_) => Self::Real(text.parse().unwrap_or(f64::NAN)),
        }
    }

    /// Of an event.
    pub(crate) fn of(number: &serde_json::Number) -> Self {
        match number.as_i128() {
            Some(whole) => Self::Whole(whole),
            None => Self::Real(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// The nearest floating-point number.
    #[expect(clippy::cast_precision_loss, reason = "only for comparisons with what is not whole")]
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Some(one.cmp(two)),
            _ => self.real().partial_cmp(&other.real()),
        }
    }
}
