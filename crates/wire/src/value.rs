//! The tree between wire formats and Rust types.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::Timestamp;

use crate::event_stream::Events;

/// A value of the model, freed from its wire format.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absence: what is null on the wire is not there.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A 32- or 64-bit integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text, or one of an enumeration.
    String(String),
    /// Bytes. Shared with the HTTP body where the blob is the body.
    Blob(Bytes),
    /// A moment.
    Timestamp(Timestamp),
    /// An ordered collection.
    List(Vec<Value>),
    /// Text to value.
    Map(BTreeMap<String, Value>),
    /// Named members.
    Structure(Fields),
    /// Events, one after the other: only as the payload of an answer.
    Events(Events),
}

/// The members of a structure that are there, by the model's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// None yet.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Sets a member. Null leaves it out.
    pub fn set(&mut self, name: &'static str, value: Value) {
        if value == Value::Null {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Reads a member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes a member out; null if it is not there.
    pub fn take(&mut self, name: &str) -> Value {
        self.0
            .iter_mut()
            .find(|(known, _)| *known == name)
            .map_or(Value::Null, |(_, value)| std::mem::take(value))
    }

    /// How many members are there.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no member is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every member that is there.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}
