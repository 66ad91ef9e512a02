//! Explicit denial, then allowance, then implicit denial; and how the two sides of a request are joined.

use crate::condition::Truth;
use crate::context::Context;
use crate::document::{Document, Effect, Statement};
use crate::principal::{Caller, NamedAs};

/// Who wants to do what to which resource.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// `service:Operation`
    pub action: &'a str,
    /// An ARN, or `*` for actions that have none.
    pub resource: &'a str,
    /// What conditions and variables ask about.
    pub context: &'a Context,
}

/// What one side's policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A statement denies it.
    Denied,
    /// No statement is about it.
    None,
    /// A statement leaves it to the caller's account.
    ToAccount,
    /// A statement allows it to the caller.
    ToCaller,
}

/// What all policies together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Do it.
    Allowed,
    /// A statement denies it.
    ExplicitlyDenied,
    /// No statement allows it.
    ImplicitlyDenied,
}

impl Decision {
    /// Whether it may be done.
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

/// What a side's policies say of a request. Identity policies must be those of the caller.
pub fn granted<'d>(documents: impl IntoIterator<Item = &'d Document>, request: &Request<'_>) -> Grant {
    let mut best = Grant::None;
    for document in documents {
        for statement in &document.statements {
            let (named, truth) = applies(document, statement, request);
            if named == NamedAs::Nobody {
                continue;
            }
            match (statement.effect, truth) {
                (Effect::Deny, Truth::Yes) => return Grant::Denied,
                (Effect::Allow, Truth::Yes | Truth::Unknown) => {
                    if named == NamedAs::Itself {
                        best = Grant::ToCaller;
                    } else if best == Grant::None {
                        best = Grant::ToAccount;
                    }
                }
                (Effect::Deny, Truth::No | Truth::Unknown) | (Effect::Allow, Truth::No) => {}
            }
        }
    }
    best
}

/// Whether a caller with these identity policies may do it to a resource of the account `owner` with these resource
/// policies.
pub fn decide<'d>(
    request: &Request<'_>,
    identity: impl IntoIterator<Item = &'d Document>,
    owner: &str,
    resource: impl IntoIterator<Item = &'d Document>,
) -> Decision {
    let of_resource = granted(resource, request);
    let of_identity = match request.caller {
        // The root user of an account needs no identity policy; a service has none.
        Caller::Root { .. } => Grant::ToCaller,
        Caller::Identity { .. } => granted(identity, request),
        Caller::Service(_) | Caller::Anonymous => Grant::None,
    };
    join(request.caller, of_identity, owner, of_resource)
}

/// What the two sides say together: in one account either suffices, across accounts both must allow it.
pub fn join(caller: &Caller, of_identity: Grant, owner: &str, of_resource: Grant) -> Decision {
    if of_resource == Grant::Denied || of_identity == Grant::Denied {
        return Decision::ExplicitlyDenied;
    }
    let is_allowed = match caller.account() {
        // The account that a statement leaves it to is the caller's own, which has said no.
        Some(account) if account == owner => of_identity == Grant::ToCaller || of_resource == Grant::ToCaller,
        Some(_) => of_identity == Grant::ToCaller && of_resource != Grant::None,
        None => of_resource == Grant::ToCaller,
    };
    if is_allowed { Decision::Allowed } else { Decision::ImplicitlyDenied }
}

fn applies(document: &Document, statement: &Statement, request: &Request<'_>) -> (NamedAs, Truth) {
    let named = match &statement.principals {
        Some(principals) => principals.names(request.caller, document.kind),
        None => NamedAs::Itself,
    };
    // A denial to an account is a denial to everybody in it.
    let named = match (statement.effect, named) {
        (Effect::Deny, NamedAs::Account) => NamedAs::Itself,
        (_, named) => named,
    };
    let is_about_it = named != NamedAs::Nobody
        && statement.actions.covers(|pattern| pattern.matches_ignoring_case(request.action, request.context))
        && statement.resources.as_ref().is_none_or(|resources| {
            resources.covers(|pattern| pattern.matches(request.resource, request.context))
        });
    if !is_about_it {
        return (NamedAs::Nobody, Truth::No);
    }
    let truth = (statement.conditions.iter())
        .map(|condition| condition.holds(request.context, document.kind))
        .fold(Truth::Yes, Truth::and);
    (named, truth)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
