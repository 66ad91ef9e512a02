//! Typed tables: a name, a domain, and what the keys and values are.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A part of the store with its own file and its own writer. Tables of one domain change together, atomically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Functions, roles, mappings: the control plane.
    Meta,
    /// Log groups, streams and events, whose bulk must never delay the control plane.
    Logs,
    /// Events on their way: a stream of small changes, most of them soon undone.
    Events,
    /// Queues and their messages, whose senders each wait for a flush.
    Queues,
    /// Buckets and what is known of their objects; the bytes of larger ones are files.
    Objects,
}

impl Domain {
    /// All domains, in the order of [`Domain::index`].
    pub const ALL: [Self; 5] = [Self::Meta, Self::Logs, Self::Events, Self::Queues, Self::Objects];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Logs => "logs",
            Self::Events => "events",
            Self::Queues => "queues",
            Self::Objects => "objects",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An ordered map from `K` to `V` with a name, declared once:
///
/// ```
/// use domain::{FunctionName, Scope};
/// use store::Table;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct FunctionRecord;
///
/// pub static FUNCTIONS: Table<(Scope, FunctionName), FunctionRecord> = Table::new("lambda.functions");
/// ```
///
/// The name is what is stored: `<service>.<plural>`, unique in its domain, never reused for another meaning. A table
/// exists without being created, and is empty at first.
pub struct Table<K, V> {
    name: &'static str,
    domain: Domain,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Table<K, V> {
    /// A table of [`Domain::Meta`].
    pub const fn new(name: &'static str) -> Self {
        Self::of(Domain::Meta, name)
    }

    /// A table of the given domain.
    pub const fn of(domain: Domain, name: &'static str) -> Self {
        Self { name, domain, types: PhantomData }
    }

    /// The name, as stored.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where it lives.
    pub const fn domain(&self) -> Domain {
        self.domain
    }
}

/// Whatever a table may hold: any serde type, kept as JSON, or [`Raw`] bytes.
pub trait Value: Sized {
    /// The stored form.
    fn to_stored(&self) -> Result<Stored<'_>, serde_json::Error>;
    /// The value again.
    fn from_stored(bytes: &[u8]) -> Result<Self, serde_json::Error>;
}

/// A value on its way into the store.
#[derive(Debug)]
pub enum Stored<'v> {
    /// JSON text, so that a stored record can be read with any tool.
    Json(Vec<u8>),
    /// Bytes as they are.
    Raw(&'v [u8]),
}

impl<T: Serialize + DeserializeOwned> Value for T {
    fn to_stored(&self) -> Result<Stored<'_>, serde_json::Error> {
        serde_json::to_vec(self).map(Stored::Json)
    }

    fn from_stored(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// Bytes kept as they are, without JSON around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Value for Raw {
    fn to_stored(&self) -> Result<Stored<'_>, serde_json::Error> {
        Ok(Stored::Raw(&self.0))
    }

    fn from_stored(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self(Bytes::copy_from_slice(bytes)))
    }
}
