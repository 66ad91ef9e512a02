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

/// The text is not a pattern. The words are CloudWatch Logs' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPattern {
    /// Has to be quoted.
    Character(char),
    /// A JSON pattern or one of columns does not end as it begins.
    Unclosed {
        /// How it begins.
        open: char,
        /// How it should end.
        close: char,
    },
    /// Anything else.
    Malformed,
}

impl std::fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Character(character) => write!(f, "Invalid character(s) in term '{character}'"),
            Self::Unclosed { open, close } => {
                write!(f, "If a filter pattern starts with '{open}' it must end with '{close}'")
            }
            Self::Malformed => f.write_str("Invalid filter pattern"),
        }
    }
}

impl Pattern {
    /// Reads a pattern. An empty one matches everything.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        for (open, close) in [('{', '}'), ('[', ']')] {
            if text.trim().starts_with(open) && !text.trim().ends_with(close) {
                return Err(InvalidPattern::Unclosed { open, close });
            }
        }
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let kind = match cursor.peek() {
            None => Kind::All,
            Some('{') => Kind::Json(Document::parse(&mut cursor)?),
            Some('[') => Kind::Columns(Columns::parse(&mut cursor)?),
            Some(_) => Kind::Terms(Terms::parse(&mut cursor)?),
        };
        cursor.skip_space();
        if cursor.peek().is_some() { Err(InvalidPattern::Malformed) } else { Ok(Self(kind)) }
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &str) -> bool {
        // The end of a line is before its break.
        let message = message.strip_suffix('\n').unwrap_or(message);
        match &self.0 {
            Kind::All => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(document) => document.matches(message),
            Kind::Columns(columns) => columns.matches(message),
        }
    }
}
