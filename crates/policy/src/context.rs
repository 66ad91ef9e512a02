//! What conditions and variables ask about.

use std::collections::BTreeMap;

/// The values of a condition key in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A key that has one value.
    One(String),
    /// A key that has a set of them, perhaps none.
    Many(Vec<String>),
}

/// The condition keys of a request. Their names are alike in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Value>,
    is_open: bool,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'c> {
    Values(&'c [String]),
    Absent,
    /// It will be known only when it happens.
    Unknown,
}

impl Context {
    /// No keys at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys that are not here may still have values, when it happens: what an `Allow` might allow counts as allowed,
    /// what a `Deny` might deny does not count.
    pub fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// With one more key.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// With one more key, if it has a value.
    pub fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With all keys of another one.
    pub fn and(mut self, more: &Self) -> Self {
        self.values.extend(more.values.iter().map(|(key, value)| (key.clone(), value.clone())));
        self
    }

    /// Adds a key or replaces its value.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) {
        self.values.insert(key.to_ascii_lowercase(), value.into());
    }

    pub(crate) fn find(&self, key: &str) -> Found<'_> {
        match self.values.get(&key.to_ascii_lowercase()) {
            Some(Value::One(value)) => Found::Values(std::slice::from_ref(value)),
            Some(Value::Many(values)) => Found::Values(values),
            None if self.is_open => Found::Unknown,
            None => Found::Absent,
        }
    }

    /// The value of a key that has one.
    pub(crate) fn one(&self, key: &str) -> Option<&str> {
        match self.values.get(&key.to_ascii_lowercase())? {
            Value::One(value) => Some(value),
            Value::Many(_) => None,
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::One(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::One(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::One(value.clone())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::One(value.to_string())
    }
}

impl From<Vec<String>> for Value {
    fn from(values: Vec<String>) -> Self {
        Self::Many(values)
    }
}
