//! JSON as a row of tokens, each with its place.
//!
//! AWS's errors name places as a reader does that takes one token at a time: it is past the opening quote of a string
//! that nobody has looked into, and past the beginning of a value as soon as it has read the value's name.

use crate::PatternError;
use crate::error::place;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// The name of a field.
    Name(String),
    /// A string.
    Text(String),
    /// A number, as it is spelt.
    Number(String),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
}

impl Token {
    /// As AWS quotes it in an error.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::ObjectStart => "{",
            Self::ObjectEnd => "}",
            Self::ArrayStart => "[",
            Self::ArrayEnd => "]",
            Self::Name(text) | Self::Text(text) | Self::Number(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Null => "null",
        }
    }
}

/// How deep objects and arrays may be nested. No event is deeper: `serde_json` reads none that is.
const DEPTH_MAX: usize = 128;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Reads a text token by token.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    /// The next byte to read.
    offset: usize,
    /// Where errors say we are, if not at `offset`.
    inside_string: Option<usize>,
    /// The value of a name that was just given out.
    ahead: Option<(Token, Option<usize>)>,
    open: Vec<Open>,
}

/// An object or array whose end was not read.
struct Open {
    is_object: bool,
    is_empty: bool,
    start: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, inside_string: None, ahead: None, open: Vec::new() }
    }

    /// The next token; none at the end of a text that is complete.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, PatternError> {
        if let Some((token, inside_string)) = self.ahead.take() {
            self.inside_string = inside_string;
            return Ok(Some(token));
        }
        self.inside_string = None;
        self.skip_space();
        let Some(open) = self.open.last_mut() else {
            // Between documents, or before the first.
            return if self.peek().is_none() { Ok(None) } else { self.value().map(Some) };
        };
        let (is_object, is_first) = (open.is_object, std::mem::take(&mut open.is_empty));
        match self.peek() {
            None => return Err(self.unexpected_end()),
            Some('}') if is_object => return Ok(Some(self.close(Token::ObjectEnd))),
            Some(']') if !is_object => return Ok(Some(self.close(Token::ArrayEnd))),
            Some(',') if !is_first => {
                self.offset += 1;
                self.skip_space();
            }
            Some(_) if !is_first => {
                let what = if is_object { "Object" } else { "Array" };
                return Err(self.unexpected(&format!("was expecting comma to separate {what} entries")));
            }
            Some(_) => {}
        }
        if !is_object {
            return self.value().map(Some);
        }
        if self.peek() != Some('"') {
            return Err(self.unexpected("was expecting double-quote to start field name"));
        }
        self.offset += 1;
        let name = self.string()?;
        self.skip_space();
        if self.peek() != Some(':') {
            return Err(self.unexpected("was expecting a colon to separate field name and value"));
        }
        self.offset += 1;
        self.skip_space();
        let value = self.value()?;
        // Having read the name, the place is past the value's beginning.
        self.ahead = Some((value, self.inside_string));
        Ok(Some(Token::Name(name)))
    }

    /// A token where the text cannot end: [`Self::next`] inside of an object or array.
    pub(crate) fn take(&mut self) -> Result<Token, PatternError> {
        match self.next()? {
            Some(token) => Ok(token),
            None => Err(self.unexpected_end()),
        }
    }

    /// Somebody looks into the string that was read last.
    pub(crate) fn look_inside(&mut self) {
        self.inside_string = None;
    }

    /// An error about what was read last.
    pub(crate) fn error(&self, reason: impl Into<String>) -> PatternError {
        PatternError::new(reason, Some(self.place()))
    }

    /// Nothing may follow a pattern.
    pub(crate) fn end(&mut self) -> Result<(), PatternError> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("was expecting the end of the pattern")),
        }
    }

    fn place(&self) -> String {
        place(self.text, self.inside_string.unwrap_or(self.offset))
    }

    fn malformed(&self, reason: impl Into<String>) -> PatternError {
        PatternError::malformed(reason, self.place())
    }

    fn unexpected(&mut self, expecting: &str) -> PatternError {
        let Some(letter) = self.peek() else { return self.unexpected_end() };
        self.offset += letter.len_utf8();
        self.malformed(format!("Unexpected character ('{letter}' (code {})): {expecting}", u32::from(letter)))
    }

    fn unexpected_end(&self) -> PatternError {
        let Some(open) = self.open.last() else {
            return self.malformed("Unexpected end-of-input");
        };
        let what = if open.is_object { "Object" } else { "Array" };
        let start = place(self.text, open.start);
        self.malformed(format!(
            "Unexpected end-of-input: expected close marker for {what} (start marker at {start})"
        ))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.offset..].chars().next()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.offset += 1;
        }
    }

    fn close(&mut self, token: Token) -> Token {
        self.open.pop();
        self.offset += 1;
        token
    }

    fn value(&mut self) -> Result<Token, PatternError> {
        match self.peek() {
            None => Err(self.unexpected_end()),
            Some(start @ ('{' | '[')) => {
                if self.open.len() == DEPTH_MAX {
                    return Err(self.malformed(format!(
                        "Document nesting depth ({}) exceeds the maximum allowed ({DEPTH_MAX}, from \
                         `StreamReadConstraints.getMaxNestingDepth()`)",
                        DEPTH_MAX + 1
                    )));
                }
                let is_object = start == '{';
                self.open.push(Open { is_object, is_empty: true, start: self.offset });
                self.offset += 1;
                Ok(if is_object { Token::ObjectStart } else { Token::ArrayStart })
            }
            Some('"') => {
                self.offset += 1;
                let inside = self.offset;
                let text = self.string()?;
                self.inside_string = Some(inside);
                Ok(Token::Text(text))
            }
            Some('-' | '0'..='9') => self.number(),
            Some(letter) if letter.is_alphabetic() => self.word(),
            Some(_) => Err(self.unexpected(&format!("expected a valid value {VALUES}"))),
        }
    }

    fn word(&mut self) -> Result<Token, PatternError> {
        let rest = &self.text[self.offset..];
        let length =
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let word = &rest[..length];
        self.offset += length;
        match word {
            "true" => Ok(Token::Bool(true)),
            "false" => Ok(Token::Bool(false)),
            "null" => Ok(Token::Null),
            _ => Err(self.malformed(format!("Unrecognized token '{word}': was expecting {VALUES}"))),
        }
    }

    fn number(&mut self) -> Result<Token, PatternError> {
        let start = self.offset;
        if self.peek() == Some('-') {
            self.offset += 1;
        }
        let whole = self.digits();
        if whole == 0 {
            return Err(self.unexpected("Expected digit (0-9) to follow minus sign, for valid numeric value"));
        }
        if whole > 1 && self.text[self.offset - whole..].starts_with('0') {
            return Err(self.malformed("Invalid numeric value: Leading zeroes not allowed"));
        }
        if self.peek() == Some('.') {
            self.offset += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("Decimal point not followed by a digit"));
            }
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.offset += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.offset += 1;
            }
            if self.digits() == 0 {
                return Err(self.unexpected("Exponent indicator not followed by a digit"));
            }
        }
        Ok(Token::Number(self.text[start..self.offset].to_owned()))
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.offset..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.offset += count;
        count
    }

    /// The rest of a string whose opening quote was read.
    fn string(&mut self) -> Result<String, PatternError> {
        let start = self.offset - 1;
        loop {
            match self.peek() {
                None => {
                    return Err(self.malformed(
                        "Unexpected end-of-input: was expecting closing quote for a string value",
                    ));
                }
                Some('"') => break,
                Some('\\') => {
                    self.offset += 1;
                    let escaped = self.peek().map_or(0, char::len_utf8);
                    self.offset += escaped;
                }
                Some(letter) if letter < ' ' => {
                    return Err(self.malformed(format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {})): has to be escaped using backslash to be \
                         included in string value",
                        u32::from(letter)
                    )));
                }
                Some(letter) => self.offset += letter.len_utf8(),
            }
        }
        self.offset += 1;
        serde_json::from_str(&self.text[start..self.offset])
            .map_err(|_| self.malformed("Unrecognized character escape"))
    }
}
