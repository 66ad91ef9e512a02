//! A place in a pattern's text, and the small things that every kind of pattern is made of.

use super::InvalidPattern;
use super::regex::Regex;

/// Regular expressions in a pattern.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
const REGEXES_MAX: usize = 2;

/// What of the text is still to be read.
#[derive(Debug)]
pub struct Cursor<'t> {
    rest: &'t str,
    regexes: usize,
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    pub fn new(text: &'t str) -> Self {
        Self { rest: text, regexes: 0 }
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Passes over white space. Tells whether there was any.
    pub fn skip_space(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let skipped = trimmed.len() != self.rest.len();
        self.rest = trimmed;
        skipped
    }

    /// Takes this text if it is next.
    pub fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes this text, which must be next.
    pub fn expect(&mut self, text: &str) -> Result<(), InvalidPattern> {
        if self.eat(text) { Ok(()) } else { Err(InvalidPattern::Malformed) }
    }

    /// Takes one or more characters of a kind.
    pub fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> Result<&'t str, InvalidPattern> {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        if taken.is_empty() { Err(InvalidPattern::Malformed) } else { Ok(taken) }
    }

    /// Takes a text between two of these quotes, in which a backslash stands before a quote or a backslash.
    pub fn quoted(&mut self, quote: char) -> Result<String, InvalidPattern> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        if characters.next().map(|(_, c)| c) != Some(quote) {
            return Err(InvalidPattern::Malformed);
        }
        while let Some((at, c)) = characters.next() {
            if c == quote {
                self.rest = &self.rest[at + c.len_utf8()..];
                return Ok(text);
            }
            let next = characters.clone().next().map(|(_, next)| next);
            match next {
                Some(next) if c == '\\' && (next == quote || next == '\\') => {
                    text.push(next);
                    characters.next();
                }
                _ => text.push(c),
            }
        }
        Err(InvalidPattern::Malformed)
    }

    /// Takes a regular expression between two percent signs.
    pub fn regex(&mut self) -> Result<Regex, InvalidPattern> {
        self.regexes += 1;
        if self.regexes > REGEXES_MAX {
            return Err(InvalidPattern::Malformed);
        }
        let (inside, rest) = self
            .rest
            .strip_prefix('%')
            .and_then(|rest| rest.split_once('%'))
            .ok_or(InvalidPattern::Malformed)?;
        self.rest = rest;
        Regex::parse(inside)
    }
}
