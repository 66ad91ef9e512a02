//! Operators by name, and what `IfExists`, `ForAllValues` and `ForAnyValue` make of them.

use super::compare::Comparison;
use crate::context::Context;
use crate::glob::Pattern;

/// An operator as a policy writes it: `ForAllValues:StringNotEqualsIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `Null`: whether the key is absent.
    Null,
    /// All others.
    Compare { comparison: Comparison, negated: bool, if_exists: bool, set: Option<Set> },
}

/// What of a key's several values must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    All,
    Any,
}

impl Operator {
    /// The operator of this name, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            Some((set, name)) if set.eq_ignore_ascii_case("ForAllValues") => (Some(Set::All), name),
            Some((set, name)) if set.eq_ignore_ascii_case("ForAnyValue") => (Some(Set::Any), name),
            Some(_) => return None,
            None => (None, name),
        };
        let lower = name.to_ascii_lowercase();
        if lower == "null" {
            return set.is_none().then_some(Self::Null);
        }
        let (base, if_exists) = match lower.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (lower.as_str(), false),
        };
        let (comparison, negated) = Comparison::parse(base)?;
        Some(Self::Compare { comparison, negated, if_exists, set })
    }

    pub(crate) fn comparison(self) -> Option<Comparison> {
        match self {
            Self::Null => None,
            Self::Compare { comparison, .. } => Some(comparison),
        }
    }

    /// Whether it holds of a key's values; nothing if the request has no such key.
    pub(super) fn holds(self, values: Option<&[String]>, wanted: &[Pattern], context: &Context) -> bool {
        let (comparison, negated, if_exists, set) = match self {
            Self::Null => {
                let is_absent = values.is_none_or(<[String]>::is_empty);
                return wanted.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case("true") == is_absent);
            }
            Self::Compare { comparison, negated, if_exists, set } => (comparison, negated, if_exists, set),
        };
        let fits =
            |value: &String| wanted.iter().any(|wanted| comparison.is_so(wanted, value, context)) != negated;
        match (values, set) {
            // Of no values all fit, and none does.
            (None, Some(Set::All)) => true,
            (None, Some(Set::Any)) => if_exists,
            // A negated operator is true of what is not there.
            (None, None) => if_exists || negated,
            (Some(values), Some(Set::All)) => values.iter().all(fits),
            (Some(values), Some(Set::Any)) => values.iter().any(fits),
            // Several values of a key that should have one: none may be what it must not be.
            (Some(values), None) if negated => values.iter().all(fits),
            (Some(values), None) => values.iter().any(fits),
        }
    }
}
