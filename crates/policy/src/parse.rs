//! From JSON to a [`Document`].

use serde_json::{Map, Value};

use crate::condition::{Condition, Operator};
use crate::document::{Document, Effect, Kind, Matching, Statement};
use crate::glob::Pattern;
use crate::principal::{Named, Principals};

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is no JSON object.
    #[error("the policy is not valid JSON")]
    NotJson,
    /// `Version` is neither of the two.
    #[error("the policy's Version must be 2012-10-17 or 2008-10-17")]
    Version,
    /// An element is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element should not be there.
    #[error("{0} is not allowed here")]
    Unexpected(String),
    /// An element has a value that it cannot have.
    #[error("{element} cannot be {value}")]
    Invalid {
        /// The element.
        element: &'static str,
        /// What it was.
        value: String,
    },
    /// There is no such operator.
    #[error("{0} is not a condition operator")]
    Operator(String),
    /// Two statements have one `Sid`.
    #[error("the Sid {0} is there twice")]
    DuplicateSid(String),
}

/// The version whose documents have variables.
const VERSION: &str = "2012-10-17";
/// What a document without a version has.
const VERSION_OLD: &str = "2008-10-17";

impl Document {
    /// Reads a policy, and checks that every element is one that a policy of its kind has.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, ParseError> {
        let document: Map<String, Value> = serde_json::from_str(text).map_err(|_| ParseError::NotJson)?;
        only(&document, &["Version", "Id", "Statement"])?;
        let has_variables = match document.get("Version") {
            None => false,
            Some(Value::String(version)) if version == VERSION_OLD => false,
            Some(Value::String(version)) if version == VERSION => true,
            Some(_) => return Err(ParseError::Version),
        };
        if let Some(id) = document.get("Id").filter(|id| !id.is_string()) {
            return Err(invalid("Id", id));
        }
        let parser = Parser { kind, has_variables };
        let statements = match document.get("Statement") {
            None => return Err(ParseError::Missing("Statement")),
            Some(Value::Array(statements)) => statements
                .iter()
                .map(|statement| parser.statement(statement))
                .collect::<Result<Vec<_>, _>>()?,
            Some(statement) => vec![parser.statement(statement)?],
        };
        if statements.is_empty() {
            return Err(ParseError::Missing("Statement"));
        }
        check_sids(&statements)?;
        Ok(Self { kind, statements })
    }
}

struct Parser {
    kind: Kind,
    has_variables: bool,
}

impl Parser {
    fn statement(&self, statement: &Value) -> Result<Statement, ParseError> {
        let Value::Object(statement) = statement else { return Err(invalid("Statement", statement)) };
        only(
            statement,
            match self.kind {
                Kind::Identity => {
                    &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"]
                }
                Kind::Resource => &[
                    "Sid",
                    "Effect",
                    "Principal",
                    "NotPrincipal",
                    "Action",
                    "NotAction",
                    "Resource",
                    "NotResource",
                    "Condition",
                ],
                Kind::Trust => {
                    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"]
                }
            },
        )?;
        Ok(Statement {
            sid: match statement.get("Sid") {
                None => None,
                Some(Value::String(sid)) => Some(sid.clone()),
                Some(other) => return Err(invalid("Sid", other)),
            },
            effect: match statement.get("Effect") {
                Some(Value::String(effect)) if effect == "Allow" => Effect::Allow,
                Some(Value::String(effect)) if effect == "Deny" => Effect::Deny,
                Some(other) => return Err(invalid("Effect", other)),
                None => return Err(ParseError::Missing("Effect")),
            },
            principals: match self.kind {
                Kind::Identity => None,
                Kind::Resource | Kind::Trust => Some(principals(statement)?),
            },
            actions: self.matching(statement, "Action", "NotAction")?.ok_or(ParseError::Missing("Action"))?,
            resources: match self.kind {
                Kind::Trust => None,
                Kind::Identity | Kind::Resource => Some(
                    self.matching(statement, "Resource", "NotResource")?
                        .ok_or(ParseError::Missing("Resource"))?,
                ),
            },
            conditions: statement.get("Condition").map_or(Ok(Vec::new()), |value| self.conditions(value))?,
        })
    }

    fn matching(
        &self,
        statement: &Map<String, Value>,
        element: &'static str,
        negated: &'static str,
    ) -> Result<Option<Matching>, ParseError> {
        let patterns = |element: &'static str, value: &Value| {
            let texts =
                strings(value).filter(|texts| !texts.is_empty()).ok_or_else(|| invalid(element, value))?;
            Ok(texts.into_iter().map(|text| self.pattern(text)).collect())
        };
        match (statement.get(element), statement.get(negated)) {
            (Some(value), None) => patterns(element, value).map(|found| Some(Matching::Any(found))),
            (None, Some(value)) => patterns(negated, value).map(|found| Some(Matching::AllBut(found))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(ParseError::Unexpected(negated.to_owned())),
        }
    }

    fn conditions(&self, value: &Value) -> Result<Vec<Condition>, ParseError> {
        let Value::Object(operators) = value else { return Err(invalid("Condition", value)) };
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let operator = Operator::parse(name).ok_or_else(|| ParseError::Operator(name.clone()))?;
            let Value::Object(keys) = keys else { return Err(invalid("Condition", keys)) };
            for (key, values) in keys {
                let wanted = self.condition_values(values)?;
                let accepts = |pattern: &Pattern| {
                    operator.comparison().is_none_or(|comparison| comparison.accepts(pattern))
                };
                if !wanted.iter().all(accepts) {
                    return Err(invalid("Condition", values));
                }
                conditions.push(Condition { operator, key: key.clone(), wanted });
            }
        }
        Ok(conditions)
    }

    /// One value or a list; numbers and truths are what they are as text.
    fn condition_values(&self, value: &Value) -> Result<Vec<Pattern>, ParseError> {
        let one = |value: &Value| match value {
            Value::String(text) => Ok(self.pattern(text)),
            Value::Bool(_) | Value::Number(_) => Ok(self.pattern(&value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(invalid("Condition", value)),
        };
        match value {
            Value::Array(values) => values.iter().map(one).collect(),
            other => one(other).map(|pattern| vec![pattern]),
        }
    }

    fn pattern(&self, text: &str) -> Pattern {
        if self.has_variables { Pattern::new(text) } else { Pattern::without_variables(text) }
    }
}

fn principals(statement: &Map<String, Value>) -> Result<Principals, ParseError> {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(value), None) => named("Principal", value).map(Principals::Named),
        (None, Some(value)) => named("NotPrincipal", value).map(Principals::AllBut),
        (None, None) => Err(ParseError::Missing("Principal")),
        (Some(_), Some(_)) => Err(ParseError::Unexpected("NotPrincipal".to_owned())),
    }
}

fn named(element: &'static str, value: &Value) -> Result<Named, ParseError> {
    let kinds = match value {
        Value::String(everyone) if everyone == "*" => {
            return Ok(Named { everyone: true, ..Named::default() });
        }
        Value::Object(kinds) if !kinds.is_empty() => kinds,
        other => return Err(invalid(element, other)),
    };
    let mut named = Named::default();
    for (kind, values) in kinds {
        let list = match kind.as_str() {
            "AWS" => &mut named.aws,
            "Service" => &mut named.services,
            "Federated" => &mut named.federated,
            "CanonicalUser" => &mut named.canonical_users,
            other => return Err(ParseError::Unexpected(other.to_owned())),
        };
        let names =
            strings(values).filter(|names| !names.is_empty()).ok_or_else(|| invalid(element, values))?;
        list.extend(names.into_iter().map(str::to_owned));
    }
    Ok(named)
}

fn check_sids(statements: &[Statement]) -> Result<(), ParseError> {
    let mut seen = std::collections::BTreeSet::new();
    let mut sids = statements.iter().filter_map(|statement| statement.sid.as_deref());
    match sids.find(|sid| !sid.is_empty() && !seen.insert(*sid)) {
        Some(twice) => Err(ParseError::DuplicateSid(twice.to_owned())),
        None => Ok(()),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), ParseError> {
    match object.keys().find(|element| !known.contains(&element.as_str())) {
        Some(unknown) => Err(ParseError::Unexpected(unknown.clone())),
        None => Ok(()),
    }
}

/// One string, or a list of them; nothing if it is anything else.
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn invalid(element: &'static str, value: &Value) -> ParseError {
    ParseError::Invalid { element, value: value.to_string() }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
