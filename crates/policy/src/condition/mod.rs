//! `Condition`: what else must be so.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

mod compare;
mod ip;
mod moment;
mod operator;

pub(crate) use operator::Operator;

use crate::context::{Context, Found};
use crate::document::Kind;
use crate::glob::Pattern;

/// One operator with one key and the values that the policy names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    pub(crate) key: String,
    pub(crate) wanted: Vec<Pattern>,
}

/// Whether something is so, as far as one can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

/// Keys that only a caller's own policies may ask for.
/// <https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html>
const OF_IDENTITY_POLICIES: &[&str] = &["lambda:SourceFunctionArn"];

impl Condition {
    /// Whether it is so, in a policy of this kind.
    pub(crate) fn holds(&self, context: &Context, kind: Kind) -> Truth {
        let is_hidden = kind != Kind::Identity
            && OF_IDENTITY_POLICIES.iter().any(|hidden| hidden.eq_ignore_ascii_case(&self.key));
        let found = if is_hidden { Found::Absent } else { context.find(&self.key) };
        match found {
            Found::Unknown => Truth::Unknown,
            Found::Absent => self.operator.holds(None, &self.wanted, context).into(),
            Found::Values(values) => self.operator.holds(Some(values), &self.wanted, context).into(),
        }
    }
}

#[cfg(test)]
mod tests;
