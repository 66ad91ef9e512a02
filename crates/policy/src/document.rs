//! A policy, read.

use crate::condition::Condition;
use crate::glob::Pattern;
use crate::principal::Principals;

/// What a policy is attached to: that decides which elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user or a role: names no principals.
    Identity,
    /// A resource: names principals.
    Resource,
    /// A role, saying who may assume it: names principals and no resources.
    Trust,
}

/// `Effect`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// A policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub(crate) kind: Kind,
    pub(crate) statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    /// None in an identity policy: whoever has it.
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Matching,
    /// None in a trust policy: the role itself.
    pub(crate) resources: Option<Matching>,
    pub(crate) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Matching {
    /// What one of these matches.
    Any(Vec<Pattern>),
    /// What none of these matches.
    AllBut(Vec<Pattern>),
}

impl Document {
    /// The statements, in the document's order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    /// `Sid`
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// `Effect`
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// `Principal` or `NotPrincipal`
    pub fn principals(&self) -> Option<&Principals> {
        self.principals.as_ref()
    }

    /// Whether anything is asked of a request besides who, what and to which resource.
    pub fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// `Action` as it was written; nothing if the statement has `NotAction`.
    pub fn actions(&self) -> Option<impl Iterator<Item = &str>> {
        self.actions.written()
    }

    /// `Resource` as it was written; nothing if the statement has `NotResource` or none at all.
    pub fn resources(&self) -> Option<impl Iterator<Item = &str>> {
        self.resources.as_ref()?.written()
    }
}

impl Matching {
    fn written(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::Any(patterns) => Some(patterns.iter().map(Pattern::as_str)),
            Self::AllBut(_) => None,
        }
    }

    /// Whether it covers something that `matches` compares with a pattern.
    pub(crate) fn covers(&self, matches: impl FnMut(&Pattern) -> bool) -> bool {
        match self {
            Self::Any(patterns) => patterns.iter().any(matches),
            Self::AllBut(patterns) => !patterns.iter().any(matches),
        }
    }
}
