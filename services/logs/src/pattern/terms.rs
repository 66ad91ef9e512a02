//! Patterns for unstructured messages: words, phrases and expressions that a message must, may or must not contain.

use super::InvalidPattern;
use super::cursor::Cursor;
use super::regex::Regex;

/// `ERROR "out of memory" -retry`, or `?ERROR ?WARN`.
#[derive(Debug, Default)]
pub struct Terms {
    required: Vec<Term>,
    excluded: Vec<Term>,
    /// One of these is enough; next to others they are ignored, as CloudWatch Logs does.
    optional: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Terms {
    /// Reads terms up to the end.
    pub fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        let mut terms = Self::default();
        while cursor.peek().is_some() {
            let list = match cursor.peek() {
                Some('?') => &mut terms.optional,
                Some('-') => &mut terms.excluded,
                _ => &mut terms.required,
            };
            if cursor.eat("?") || cursor.eat("-") {
                cursor.skip_space();
            }
            list.push(Term::parse(cursor)?);
            let spaced = cursor.skip_space();
            if let Some(next) = cursor.peek().filter(|_| !spaced) {
                return Err(InvalidPattern::Character(next));
            }
        }
        Ok(terms)
    }

    /// Whether a message matches.
    pub fn matches(&self, message: &str) -> bool {
        let has = |term: &Term| term.is_in(message);
        if self.required.is_empty() && self.excluded.is_empty() {
            return self.optional.iter().any(has);
        }
        self.required.iter().all(has) && !self.excluded.iter().any(has)
    }
}

impl Term {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidPattern> {
        match cursor.peek() {
            Some('"') => {
                let phrase = cursor.quoted('"')?;
                // Documented to match everything.
                Ok(Self::Text(if phrase.trim().is_empty() { String::new() } else { phrase }))
            }
            Some('%') => Ok(Self::Regex(cursor.regex()?)),
            // Anything beside letters, digits and underscores has to be quoted.
            Some(other) if !is_word(other) => Err(InvalidPattern::Character(other)),
            _ => Ok(Self::Text(cursor.take_while(is_word)?.to_owned())),
        }
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.matches(message),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
