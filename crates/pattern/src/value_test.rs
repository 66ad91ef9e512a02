//! What one value of an event is compared with.

use serde_json::Value;

use crate::address::AddressRange;
use crate::number::Number;
use crate::wildcard::Wildcard;

/// One entry of a field's list.
#[derive(Clone, Debug)]
pub(crate) enum ValueTest {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// `5`
    Number(Number),
    /// A text.
    Text(TextTest),
    /// `{"numeric": [">", 0, "<=", 5]}`
    Range { low: Option<Bound>, high: Option<Bound> },
    /// `{"exists": true}`
    Exists,
    /// `{"anything-but": …}`: neither of these texts …
    NoText(Vec<TextTest>),
    /// … or none of these numbers. What is of another kind is anything but these, too.
    NoNumber(Vec<Number>),
}

/// What a text is compared with.
#[derive(Clone, Debug)]
pub(crate) enum TextTest {
    Equals(Box<str>),
    EqualsIgnoreCase(Box<str>),
    Prefix(Box<str>),
    PrefixIgnoreCase(Box<str>),
    Suffix(Box<str>),
    SuffixIgnoreCase(Box<str>),
    Wildcard(Wildcard),
    Address(std::net::IpAddr),
    Cidr(AddressRange),
}

/// One end of a range of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) value: Number,
    pub(crate) included: bool,
}

impl ValueTest {
    /// Whether a value that is neither object nor array passes.
    pub(crate) fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Null, value) => value.is_null(),
            (Self::Bool(wanted), Value::Bool(value)) => wanted == value,
            (Self::Number(wanted), Value::Number(value)) => *wanted == Number::of(value),
            (Self::Text(test), Value::String(text)) => test.passes(text),
            (Self::Range { low, high }, Value::Number(value)) => {
                let value = Number::of(value);
                let above = |low: &Bound| value > low.value || low.included && value == low.value;
                let below = |high: &Bound| value < high.value || high.included && value == high.value;
                low.as_ref().is_none_or(above) && high.as_ref().is_none_or(below)
            }
            (Self::NoText(tests), Value::String(text)) => !tests.iter().any(|test| test.passes(text)),
            (Self::NoNumber(numbers), Value::Number(value)) => !numbers.contains(&Number::of(value)),
            (Self::NoText(_) | Self::NoNumber(_), _) => true,
            (Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Range { .. }, _) => false,
        }
    }
}

impl TextTest {
    /// A text of a pattern; an address is found however an event spells it.
    pub(crate) fn equals(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Equals(text.into()), Self::Address)
    }

    pub(crate) fn passes(&self, text: &str) -> bool {
        match self {
            Self::Equals(wanted) => **wanted == *text,
            Self::EqualsIgnoreCase(wanted) => folded(wanted).eq(folded(text)),
            Self::Prefix(wanted) => text.starts_with(&**wanted),
            Self::PrefixIgnoreCase(wanted) => starts_with(folded(text), folded(wanted)),
            Self::Suffix(wanted) => text.ends_with(&**wanted),
            Self::SuffixIgnoreCase(wanted) => starts_with(backwards(text), backwards(wanted)),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Address(wanted) => text.parse() == Ok(*wanted),
            Self::Cidr(range) => range.contains(text),
        }
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn backwards(text: &str) -> impl Iterator<Item = char> {
    text.chars().rev().flat_map(char::to_lowercase)
}

fn starts_with(mut text: impl Iterator<Item = char>, mut wanted: impl Iterator<Item = char>) -> bool {
    wanted.all(|letter| text.next() == Some(letter))
}
