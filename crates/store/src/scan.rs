//! Which part of a table to read, and in which direction.

use std::marker::PhantomData;

use crate::key::{self, KeyOf, PrefixOf};

/// A range of a table's keys. Bounds are in key order whatever the direction; all of them apply together.
///
/// ```
/// use store::Scan;
///
/// // The second page of the names that start with "log", ten at a time.
/// let page: Scan<(String, String)> =
///     Scan::prefix(("eu-west-1",)).starting_with("log").after(("eu-west-1", "logger")).limit(10);
/// ```
#[derive(Clone, Debug)]
pub struct Scan<K> {
    /// The leading bytes that every key has.
    prefix: Vec<u8>,
    /// Inclusive.
    lower: Vec<u8>,
    /// Exclusive.
    upper: Option<Vec<u8>>,
    /// The encoded key after which to continue, in the direction of the scan.
    after: Option<Vec<u8>>,
    pub(crate) limit: usize,
    pub(crate) reverse: bool,
    keys: PhantomData<fn(K)>,
}

impl<K> Scan<K> {
    /// The whole table.
    pub fn all() -> Self {
        Self::prefix(())
    }

    /// The keys with these leading parts: `(scope,)`, `(scope, group)`.
    pub fn prefix(parts: impl PrefixOf<K>) -> Self {
        Self {
            prefix: encode(|out| parts.encode_prefix(out)),
            lower: Vec::new(),
            upper: None,
            after: None,
            limit: usize::MAX,
            reverse: false,
            keys: PhantomData,
        }
    }

    /// Of those, the keys whose next part is text (or bytes) that starts with `text`. Say it once, after
    /// [`Scan::prefix`].
    #[must_use]
    pub fn starting_with(mut self, text: &str) -> Self {
        key::escape(text.as_bytes(), &mut self.prefix);
        self
    }

    /// Of those, the keys from these leading parts on.
    #[must_use]
    pub fn at_least(mut self, parts: impl PrefixOf<K>) -> Self {
        let bound = encode(|out| parts.encode_prefix(out));
        self.lower = self.lower.max(bound);
        self
    }

    /// Of those, the keys before these leading parts.
    #[must_use]
    pub fn below(mut self, parts: impl PrefixOf<K>) -> Self {
        let bound = encode(|out| parts.encode_prefix(out));
        self.upper = Some(smaller(self.upper, bound));
        self
    }

    /// Continues a page: the keys that come after this one in the direction of the scan. The key need not exist.
    #[must_use]
    pub fn after(mut self, key: impl KeyOf<K>) -> Self {
        self.after = Some(encode(|out| key.encode_key(out)));
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        self.limit = count;
        self
    }

    /// From the greatest key to the smallest.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// The keys to visit: from the first, inclusive, to the second, exclusive.
    pub(crate) fn bounds(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut lower = self.lower.clone().max(self.prefix.clone());
        let mut upper = match key::end_of_prefix(&self.prefix) {
            Some(end) => Some(smaller(self.upper.clone(), end)),
            None => self.upper.clone(),
        };
        match &self.after {
            Some(after) if self.reverse => upper = Some(smaller(upper, after.clone())),
            Some(after) => {
                let mut next = after.clone();
                next.push(0); // nothing lies between a key and the same key with a zero appended
                lower = lower.max(next);
            }
            None => {}
        }
        (lower, upper)
    }
}

fn encode(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    write(&mut bytes);
    bytes
}

fn smaller(bound: Option<Vec<u8>>, other: Vec<u8>) -> Vec<u8> {
    match bound {
        Some(bound) => bound.min(other),
        None => other,
    }
}
