//! Event patterns: which JSON events match.
//!
//! One language, three places: EventBridge rules, the filters of Lambda's event source mappings, and (as a dialect, in
//! [`FilterPolicy`]) SNS subscriptions. Pure: text in, a decision out. A pattern is read once and then compared with
//! many events; comparing allocates nothing and takes time in proportion to the event, also for wildcards.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

mod address;
mod error;
mod filter_policy;
mod matching;
mod needs;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod tokens;
mod value_test;
mod wildcard;

pub use error::PatternError;
pub use filter_policy::{FilterPolicy, FilterPolicyError, MessageAttribute, Scope};
pub use needs::{Need, Test, values_at};

use matching::Field;
use serde_json::Value;

/// A pattern that was read.
///
/// ```
/// let pattern = pattern::Pattern::parse(r#"{"body":{"degrees":[{"numeric":[">",30]}]}}"#).unwrap();
/// assert!(pattern.matches(&serde_json::json!({"body": {"degrees": 31}})));
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(matching::Fields);

impl Pattern {
    /// Reads a pattern. The error has AWS's words, and where in the text they apply.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::parse(text).map(Self)
    }

    /// Whether the member with this name must be an object, by its own fields.
    pub fn wants_object(&self, name: &str) -> bool {
        self.0.fields.iter().any(|(known, field)| **known == *name && matches!(field, Field::Object(_)))
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        self.0.matches(Some(event), event)
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}
