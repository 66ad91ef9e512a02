//! A pattern as it is compared with an event: a tree of fields.

use serde_json::Value;

use crate::value_test::ValueTest;

/// What an object must have: every field, and one of each group of alternatives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) fields: Vec<(Box<str>, Field)>,
    /// Of each `$or`, its alternatives.
    pub(crate) alternatives: Vec<Vec<Fields>>,
}

/// What one field must be.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    /// An object, or an array with such an object.
    Object(Fields),
    /// A value, or an array with such a value.
    Value(Values),
}

/// One of several tests.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) tests: Vec<ValueTest>,
    /// `{"exists": false}` is among the tests: here is the whole path, because it asks about the whole event and not
    /// about the element of an array that its neighbours are in.
    pub(crate) absent: Option<Box<[Box<str>]>>,
}

impl Fields {
    /// Whether `value`, a part of `event` or nothing, has all that is asked for.
    pub(crate) fn matches(&self, value: Option<&Value>, event: &Value) -> bool {
        if let Some(Value::Array(elements)) = value
            && !elements.is_empty()
        {
            // All fields have to be found in the same element.
            return elements.iter().any(|element| self.matches(Some(element), event));
        }
        self.fields.iter().all(|(name, field)| match field {
            Field::Object(fields) => any_at(value, name, &|found| fields.matches(found, event)),
            Field::Value(values) => any_at(value, name, &|found| values.matches(found, event)),
        }) && self
            .alternatives
            .iter()
            .all(|group| group.iter().any(|alternative| alternative.matches(value, event)))
    }
}

impl Values {
    /// How many entries the list has.
    pub(crate) fn len(&self) -> usize {
        self.tests.len() + usize::from(self.absent.is_some())
    }

    fn matches(&self, value: Option<&Value>, event: &Value) -> bool {
        value.is_some_and(|value| self.finds(value))
            || self.absent.as_deref().is_some_and(|path| !has_value(event, path))
    }

    fn finds(&self, value: &Value) -> bool {
        match value {
            Value::Array(elements) => elements.iter().any(|element| self.finds(element)),
            // Only what has no parts is a value.
            Value::Object(_) => false,
            value => self.tests.iter().any(|test| test.passes(value)),
        }
    }
}

/// Asks about what `name` is in `value`: the field of that name, or for `a.b` the field b of the field a. If there is
/// nothing, that is what is asked about.
pub(crate) fn any_at<'e>(
    value: Option<&'e Value>,
    name: &str,
    ask: &dyn Fn(Option<&'e Value>) -> bool,
) -> bool {
    let Some(Value::Object(object)) = value else { return ask(None) };
    if let Some(found) = object.get(name) {
        return ask(Some(found));
    }
    let nested = name.match_indices('.').find_map(|(at, _)| {
        let inner = object.get(&name[..at])?;
        Some((inner, &name[at + 1..]))
    });
    match nested {
        Some((Value::Array(elements), rest)) if !elements.is_empty() => {
            elements.iter().any(|element| any_at(Some(element), rest, ask))
        }
        Some((inner, rest)) => any_at(Some(inner), rest, ask),
        None => ask(None),
    }
}

/// Whether there is a value anywhere at the path.
fn has_value(value: &Value, path: &[Box<str>]) -> bool {
    match (value, path) {
        (Value::Array(elements), path) => elements.iter().any(|element| has_value(element, path)),
        (Value::Object(_), []) => false,
        (Value::Object(_), [name, rest @ ..]) => {
            any_at(Some(value), name, &|found| found.is_some_and(|found| has_value(found, rest)))
        }
        (_, path) => path.is_empty(),
    }
}
