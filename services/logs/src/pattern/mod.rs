//! CloudWatch Logs' filter patterns: which messages match.
//!
//! Pure: text in, a decision out. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

mod columns;
mod compare;
mod cursor;
mod json;
mod regex;
mod terms;
#[cfg(test)]
mod tests;

use columns::Columns;
use cursor::Cursor;
use json::Document;
use terms::Terms;

/// A pattern that was read.
#[derive(Debug)]
pub struct Pattern(Kind);

#[derive(Debug)]
enum Kind {
    /// Matches every message.
    All,
    /// `ERROR -timeout`
    Terms(Terms),
    /// `{ $.status = 500 }`
    Json(Document),
    /// `[ip, ..., status = 5*]`
    Columns(Columns),
}

/// The text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPattern;

impl Pattern {
    /// Reads a pattern. An empty one matches everything.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let kind = match cursor.peek() {
            None => Kind::All,
            Some('{') => Kind::Json(Document::parse(&mut cursor)?),
            Some('[') => Kind::Columns(Columns::parse(&mut cursor)?),
            Some(_) => Kind::Terms(Terms::parse(&mut cursor)?),
        };
        cursor.skip_space();
        if cursor.peek().is_some() { Err(InvalidPattern) } else { Ok(Self(kind)) }
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(document) => document.matches(message),
            Kind::Columns(columns) => columns.matches(message),
        }
    }
}
