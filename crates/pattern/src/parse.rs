//! From text to tree, with AWS's errors.

use crate::PatternError;
use crate::address::AddressRange;
use crate::matching::{Field, Fields, Values};
use crate::number::Number;
use crate::tokens::{Token, Tokens};
use crate::value_test::{Bound, TextTest, ValueTest};
use crate::wildcard::Wildcard;

/// Numbers of `numeric` and `anything-but` are between this and its negative.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-numeric-matching>
const NUMBER_MAX: f64 = 5e9;

/// The names of operators cannot be those of fields inside of `$or`.
const OPERATORS: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
];

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_MANY: &str = "Too many elements in numeric expression";
const NOT_A_TEXT_TO_IGNORE: &str = "equals-ignore-case match pattern must be a string";

/// Reads a pattern.
pub(crate) fn parse(text: &str) -> Result<Fields, PatternError> {
    let mut reader = Reader { tokens: Tokens::new(text), path: Vec::new() };
    if reader.tokens.next()? != Some(Token::ObjectStart) {
        return Err(reader.tokens.error("Filter is not an object"));
    }
    let mut fields = Fields::default();
    reader.object(&mut fields, false)?;
    reader.tokens.end()?;
    Ok(fields)
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    /// The names of the fields that we are in.
    path: Vec<Box<str>>,
}

type Read<T> = Result<T, PatternError>;

impl Reader<'_> {
    fn fail<T>(&self, reason: impl Into<String>) -> Read<T> {
        Err(self.tokens.error(reason))
    }

    /// The fields of an object, up to its end.
    fn object(&mut self, fields: &mut Fields, in_or: bool) -> Read<()> {
        let mut is_empty = true;
        while let Token::Name(name) = self.tokens.take()? {
            is_empty = false;
            if name == "$or" {
                let group = self.alternatives()?;
                fields.alternatives.push(group);
                continue;
            }
            if in_or && OPERATORS.contains(&name.as_str()) {
                return self
                    .fail(format!("{name} is Ruler reserved fieldName which cannot be used inside $or."));
            }
            self.path.push(name.as_str().into());
            match self.tokens.take()? {
                Token::ObjectStart => self.nested(fields, name, in_or)?,
                Token::ArrayStart => {
                    let values = self.values()?;
                    // Of a field that is named twice, the last is meant.
                    fields
                        .fields
                        .retain(|(other, field)| **other != *name || matches!(field, Field::Object(_)));
                    fields.fields.push((name.into(), Field::Value(values)));
                }
                _ => return self.fail(format!("\"{name}\" must be an object or an array")),
            }
            self.path.pop();
        }
        if is_empty { self.fail("Empty objects are not allowed") } else { Ok(()) }
    }

    fn nested(&mut self, fields: &mut Fields, name: String, in_or: bool) -> Read<()> {
        let before = fields.fields.iter_mut().find_map(|(other, field)| match field {
            Field::Object(inner) if **other == *name => Some(inner),
            _ => None,
        });
        if let Some(inner) = before {
            return self.object(inner, in_or);
        }
        let mut inner = Fields::default();
        self.object(&mut inner, in_or)?;
        fields.fields.push((name.into(), Field::Object(inner)));
        Ok(())
    }

    fn alternatives(&mut self) -> Read<Vec<Fields>> {
        if self.tokens.take()? != Token::ArrayStart {
            return self.fail("It must be an Array followed with $or.");
        }
        let mut group = Vec::new();
        loop {
            match self.tokens.take()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => {
                    let mut fields = Fields::default();
                    self.object(&mut fields, true)?;
                    group.push(fields);
                }
                _ => return self.fail("Only JSON object is allowed in array of $or relationship."),
            }
        }
        if group.len() < 2 {
            return self.fail("There must have at least 2 Objects in $or relationship.");
        }
        Ok(group)
    }

    /// The list of a field, up to its end.
    fn values(&mut self) -> Read<Values> {
        let mut values = Values { tests: Vec::new(), absent: None };
        let mut is_empty = true;
        loop {
            let test = match self.tokens.take()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => self.expression()?,
                Token::Text(text) => {
                    self.tokens.look_inside();
                    Some(ValueTest::Text(TextTest::equals(&text)))
                }
                Token::Number(text) => Some(ValueTest::Number(Number::parse(&text))),
                Token::Bool(wanted) => Some(ValueTest::Bool(wanted)),
                Token::Null => Some(ValueTest::Null),
                _ => return self.fail("Match value must be String, number, true, false, or null"),
            };
            is_empty = false;
            match test {
                Some(test) => values.tests.push(test),
                None => values.absent = Some(self.path.clone().into()),
            }
        }
        if is_empty { self.fail("Empty arrays are not allowed") } else { Ok(values) }
    }

    /// `{"prefix": "a"}` and its like, after the brace. None is `{"exists": false}`.
    fn expression(&mut self) -> Read<Option<ValueTest>> {
        let Token::Name(operator) = self.tokens.take()? else {
            return self.fail("Match expression name not found");
        };
        let test = match operator.as_str() {
            "exactly" => {
                self.text_test("exact match pattern must be a string", |text| TextTest::Equals(text.into()))
            }
            "prefix" => self.end_test("prefix", "Prefix", TextTest::Prefix, TextTest::PrefixIgnoreCase),
            "suffix" => self.end_test("suffix", "Suffix", TextTest::Suffix, TextTest::SuffixIgnoreCase),
            "equals-ignore-case" => {
                self.text_test(NOT_A_TEXT_TO_IGNORE, |text| TextTest::EqualsIgnoreCase(text.into()))
            }
            "wildcard" => {
                let text = self.text("wildcard match pattern must be a string")?;
                let wildcard = Wildcard::parse(&text).or_else(|reason| self.fail(reason))?;
                self.close(ONE_KEY)?;
                Ok(ValueTest::Text(TextTest::Wildcard(wildcard)))
            }
            "cidr" => {
                // AWS's own words, copied from another operator.
                let text = self.text("prefix match pattern must be a string")?;
                let range = AddressRange::parse(&text).map_err(|reason| PatternError::new(reason, None))?;
                self.close(ONE_KEY)?;
                Ok(ValueTest::Text(TextTest::Cidr(range)))
            }
            "numeric" => self.numeric(),
            "anything-but" => self.anything_but(),
            "exists" => return self.exists(),
            _ => self.fail(format!("Unrecognized match type {operator}")),
        };
        test.map(Some)
    }

    fn text(&mut self, otherwise: &str) -> Read<String> {
        let Token::Text(text) = self.tokens.take()? else { return self.fail(otherwise) };
        self.tokens.look_inside();
        Ok(text)
    }

    fn close(&mut self, otherwise: &str) -> Read<()> {
        if self.tokens.take()? == Token::ObjectEnd { Ok(()) } else { self.fail(otherwise) }
    }

    fn text_test(&mut self, otherwise: &str, test: impl Fn(String) -> TextTest) -> Read<ValueTest> {
        let text = self.text(otherwise)?;
        self.close(ONE_KEY)?;
        Ok(ValueTest::Text(test(text)))
    }

    /// A prefix or suffix: of a text, or of `{"equals-ignore-case": "…"}`.
    fn end_test(
        &mut self,
        name: &str,
        title: &str,
        exact: fn(Box<str>) -> TextTest,
        ignoring_case: fn(Box<str>) -> TextTest,
    ) -> Read<ValueTest> {
        match self.tokens.take()? {
            Token::Text(text) => {
                self.tokens.look_inside();
                self.close(ONE_KEY)?;
                Ok(ValueTest::Text(exact(text.into())))
            }
            Token::ObjectStart => {
                let Token::Name(operator) = self.tokens.take()? else {
                    return self.fail(format!("{title} expression name not found"));
                };
                if operator != "equals-ignore-case" {
                    return self.fail(format!("Unsupported {name} pattern: {operator}"));
                }
                let text = self.text(NOT_A_TEXT_TO_IGNORE)?;
                self.close(ONE_KEY)?;
                self.close(ONE_KEY)?;
                Ok(ValueTest::Text(ignoring_case(text.into())))
            }
            _ => self.fail(format!("{name} match pattern must be a string")),
        }
    }

    fn exists(&mut self) -> Read<Option<ValueTest>> {
        let Token::Bool(wanted) = self.tokens.take()? else {
            return self.fail("exists match pattern must be either true or false.");
        };
        self.close(ONE_KEY)?;
        Ok(wanted.then_some(ValueTest::Exists))
    }

    fn numeric(&mut self) -> Read<ValueTest> {
        if self.tokens.take()? != Token::ArrayStart {
            return self.fail("Value of numeric must be an array.");
        }
        let operator = match self.tokens.take()? {
            Token::Text(operator) => operator,
            other => return self.fail(format!("Invalid member in numeric match: {}", other.text())),
        };
        self.tokens.look_inside();
        let range = |low, high| Ok(ValueTest::Range { low, high });
        let test = match operator.as_str() {
            "=" => {
                let value = self.number("equals")?;
                self.numeric_end().map(|()| ValueTest::Number(value))
            }
            "<" | "<=" => {
                let high = Bound { value: self.number(&operator)?, included: operator == "<=" };
                self.numeric_end()?;
                range(None, Some(high))
            }
            ">" | ">=" => {
                let low = Bound { value: self.number(&operator)?, included: operator == ">=" };
                match self.tokens.take()? {
                    Token::ArrayEnd => range(Some(low), None),
                    second => range(Some(low), Some(self.high_bound(low.value, &second)?)),
                }
            }
            _ => self.fail(format!("Unrecognized numeric range operator: {operator}")),
        }?;
        self.close(TOO_MANY)?;
        Ok(test)
    }

    fn high_bound(&mut self, low: Number, operator: &Token) -> Read<Bound> {
        let Token::Text(operator) = operator else {
            return self.fail(format!("Bad value in numeric range: {}", operator.text()));
        };
        self.tokens.look_inside();
        if operator != "<" && operator != "<=" {
            return self.fail(format!("Bad numeric range operator: {operator}"));
        }
        let value = self.number(operator)?;
        if self.tokens.take()? != Token::ArrayEnd {
            return self.fail("Too many terms in numeric range expression");
        }
        if low >= value {
            return self.fail("Bottom must be less than top");
        }
        Ok(Bound { value, included: operator == "<=" })
    }

    fn numeric_end(&mut self) -> Read<()> {
        if self.tokens.take()? == Token::ArrayEnd { Ok(()) } else { self.fail(TOO_MANY) }
    }

    fn number(&mut self, operator: &str) -> Read<Number> {
        match self.tokens.take()? {
            Token::Number(text) => self.bounded(&text),
            _ => self.fail(format!("Value of {operator} must be numeric")),
        }
    }

    fn bounded(&self, text: &str) -> Read<Number> {
        let number = Number::parse(text);
        if (-NUMBER_MAX..=NUMBER_MAX).contains(&number.real()) {
            return Ok(number);
        }
        self.fail("Value must be between -5.0E9 and 5.0E9, inclusive")
    }

    fn anything_but(&mut self) -> Read<ValueTest> {
        let mut token = self.tokens.take()?;
        let mut kind = None;
        if token == Token::ObjectStart {
            let Token::Name(operator) = self.tokens.take()? else {
                return self.fail("Anything-But expression name not found");
            };
            kind = match operator.as_str() {
                "equals-ignore-case" => Some(But::IgnoringCase),
                "prefix" => Some(But::Prefix),
                "suffix" => Some(But::Suffix),
                "wildcard" => Some(But::Wildcard),
                _ => return self.fail(format!("Unsupported anything-but pattern: {operator}")),
            };
            token = self.tokens.take()?;
        }
        if !matches!(token, Token::ArrayStart | Token::Text(_) | Token::Number(_)) {
            return self.fail("Value of anything-but must be an array or single string/number value.");
        }
        let test = match kind {
            None => self.anything_but_values(token)?,
            Some(kind) => ValueTest::NoText(self.anything_but_texts(token, kind)?),
        };
        self.close(TOO_MANY)?;
        if kind.is_some() {
            self.close(TOO_MANY)?;
        }
        Ok(test)
    }

    /// One value or a list of them, up to its end.
    fn anything_but_values(&mut self, first: Token) -> Read<ValueTest> {
        let is_list = first == Token::ArrayStart;
        let mut token = if is_list { self.tokens.take()? } else { first };
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        while token != Token::ArrayEnd {
            match &token {
                Token::Text(text) => {
                    self.tokens.look_inside();
                    texts.push(TextTest::Equals(text.as_str().into()));
                }
                Token::Number(text) => numbers.push(self.bounded(text)?),
                _ => return self.fail("Inside anything but list, start|null|boolean is not supported."),
            }
            if !is_list {
                break;
            }
            token = self.tokens.take()?;
        }
        match (texts.is_empty(), numbers.is_empty()) {
            (false, true) => Ok(ValueTest::NoText(texts)),
            (true, false) => Ok(ValueTest::NoNumber(numbers)),
            _ => self.fail(
                "Inside anything but list, either all values are number or string, mixed type is not supported",
            ),
        }
    }

    fn anything_but_texts(&mut self, first: Token, kind: But) -> Read<Vec<TextTest>> {
        let is_list = first == Token::ArrayStart;
        let mut token = if is_list { self.tokens.take()? } else { first };
        let mut tests = Vec::new();
        while token != Token::ArrayEnd {
            let Token::Text(text) = token else { return self.fail(kind.wants_text()) };
            self.tokens.look_inside();
            tests.push(kind.test(text).or_else(|reason| self.fail(reason))?);
            if !is_list {
                break;
            }
            token = self.tokens.take()?;
        }
        Ok(tests)
    }
}

/// What `anything-but` can be applied to.
#[derive(Clone, Copy)]
enum But {
    IgnoringCase,
    Prefix,
    Suffix,
    Wildcard,
}

impl But {
    fn wants_text(self) -> &'static str {
        match self {
            Self::IgnoringCase => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            }
            Self::Prefix | Self::Suffix => "prefix/suffix match pattern must be a string",
            Self::Wildcard => "wildcard match pattern must be a string",
        }
    }

    fn test(self, text: String) -> Result<TextTest, String> {
        match self {
            Self::Prefix | Self::Suffix if text.is_empty() => {
                Err("Null prefix/suffix not allowed".to_owned())
            }
            Self::IgnoringCase => Ok(TextTest::EqualsIgnoreCase(text.into())),
            Self::Prefix => Ok(TextTest::Prefix(text.into())),
            Self::Suffix => Ok(TextTest::Suffix(text.into())),
            Self::Wildcard => Wildcard::parse(&text).map(TextTest::Wildcard),
        }
    }
}
