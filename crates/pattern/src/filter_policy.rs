//! SNS's dialect: filter policies of subscriptions.
//!
//! The language is that of event patterns, with limits of its own, and applied to a message's attributes or to its
//! body. <https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>

use std::fmt;

use serde_json::{Map, Value};

use crate::matching::{Field, Fields};
use crate::{PatternError, parse};

/// The most attribute names of a policy, or top-level names of one that is about bodies.
/// <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
const KEYS_MAX: usize = 5;
/// The most combinations of values: the lengths of all lists multiplied, each also by how deep it is nested.
/// <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
const COMBINATIONS_MAX: u64 = 150;
/// The size of a policy's text.
/// <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>
const BYTES_MAX: usize = 256 * 1024;

/// `FilterPolicyScope`: what a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The message's attributes.
    MessageAttributes,
    /// The message's body, which has to be a JSON object.
    MessageBody,
}

/// A filter policy that was read.
#[derive(Clone, Debug)]
pub struct FilterPolicy {
    fields: Fields,
    scope: Scope,
}

/// The text is not a filter policy. It prints as SNS prints it after `Invalid parameter: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterPolicyError {
    /// Not a pattern.
    Pattern(PatternError),
    /// Longer than 256 KB.
    TooLong,
    /// More than five names.
    TooManyKeys,
    /// More than 150 combinations of values.
    TooComplex,
    /// Attributes have no parts.
    Nested,
}

impl fmt::Display for FilterPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) if error.is_malformed() => {
                write!(f, "FilterPolicy: failed to parse JSON. {error}")
            }
            Self::Pattern(error) => write!(f, "FilterPolicy: {error}"),
            Self::TooLong => f.write_str("FilterPolicy: Filter policy is too long"),
            Self::TooManyKeys => f.write_str("FilterPolicy: Filter policy can not have more than 5 keys"),
            Self::TooComplex => f.write_str("FilterPolicy: Filter policy is too complex"),
            Self::Nested => {
                f.write_str("Filter policy scope MessageAttributes does not support nested filter policy")
            }
        }
    }
}

impl std::error::Error for FilterPolicyError {}

/// One of a message's attributes, as far as a policy can see it.
#[derive(Clone, Copy, Debug)]
pub struct MessageAttribute<'a> {
    /// `String`, `String.Array`, `Number` or `Binary`, perhaps with a label behind a dot.
    pub data_type: &'a str,
    /// What it says; nothing if it is binary.
    pub string_value: Option<&'a str>,
}

impl FilterPolicy {
    /// Reads a policy. An empty one, `{}`, is for the caller to handle: it takes the policy away.
    pub fn parse(text: &str, scope: Scope) -> Result<Self, FilterPolicyError> {
        if text.len() > BYTES_MAX {
            return Err(FilterPolicyError::TooLong);
        }
        let fields = parse::parse(text).map_err(FilterPolicyError::Pattern)?;
        if scope == Scope::MessageAttributes && is_nested(&fields) {
            return Err(FilterPolicyError::Nested);
        }
        let keys = fields.fields.len() + fields.alternatives.len();
        if keys > KEYS_MAX {
            return Err(FilterPolicyError::TooManyKeys);
        }
        if combinations(&fields, 1) > COMBINATIONS_MAX {
            return Err(FilterPolicyError::TooComplex);
        }
        Ok(Self { fields, scope })
    }

    /// What the policy is about.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether a message matches.
    pub fn matches<'a>(
        &self,
        attributes: impl IntoIterator<Item = (&'a str, MessageAttribute<'a>)>,
        body: &str,
    ) -> bool {
        let message = match self.scope {
            Scope::MessageAttributes => Value::Object(visible(attributes)),
            // What is not an object is never delivered.
            Scope::MessageBody => match serde_json::from_str(body) {
                Ok(body @ Value::Object(_)) => body,
                _ => return false,
            },
        };
        self.fields.matches(Some(&message), &message)
    }
}

/// Attributes as the values that policies are compared with.
fn visible<'a>(attributes: impl IntoIterator<Item = (&'a str, MessageAttribute<'a>)>) -> Map<String, Value> {
    let value = |attribute: MessageAttribute<'a>| {
        let text = attribute.string_value?;
        match attribute.data_type {
            "String.Array" => serde_json::from_str(text).ok().filter(Value::is_array),
            kind if is_kind(kind, "String") => Some(Value::from(text)),
            kind if is_kind(kind, "Number") => text.trim().parse().ok().map(Value::Number),
            _ => None,
        }
    };
    attributes
        .into_iter()
        .filter_map(|(name, attribute)| Some((name.to_owned(), value(attribute)?)))
        .collect()
}

/// `Number` or `Number.int`.
fn is_kind(data_type: &str, kind: &str) -> bool {
    data_type.strip_prefix(kind).is_some_and(|label| label.is_empty() || label.starts_with('.'))
}

fn is_nested(fields: &Fields) -> bool {
    fields.fields.iter().any(|(_, field)| matches!(field, Field::Object(_)))
        || fields.alternatives.iter().flatten().any(is_nested)
}

/// Every list's length times its depth, multiplied; alternatives are added up.
fn combinations(fields: &Fields, depth: u64) -> u64 {
    let of_fields = fields.fields.iter().map(|(_, field)| match field {
        Field::Object(inner) => combinations(inner, depth + 1),
        Field::Value(values) => depth.saturating_mul(values.len() as u64),
    });
    let of_groups = fields.alternatives.iter().map(|group| {
        group.iter().map(|alternative| combinations(alternative, depth)).fold(0, u64::saturating_add)
    });
    of_fields.chain(of_groups).fold(1, u64::saturating_mul)
}
