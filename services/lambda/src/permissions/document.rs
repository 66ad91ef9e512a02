//! A resource policy: statements, each as it was written.

use domain::limits;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wire::Error;

use super::remove::no_such_statement;
use crate::error::invalid_parameter;

/// A policy as it is stored. Its statements keep their text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDocument {
    version: Option<String>,
    id: Option<String>,
    statements: Vec<String>,
}

/// A document as text has it: what `S` is for one that is read, and for one that is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written<S> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    statement: S,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    sid: Option<String>,
}

impl Default for PolicyDocument {
    /// What `AddPermission` starts with.
    fn default() -> Self {
        Self {
            version: Some("2012-10-17".to_owned()),
            id: Some("default".to_owned()),
            statements: Vec::new(),
        }
    }
}

impl PolicyDocument {
    /// Reads a document that is known to be a policy.
    pub fn read(text: &str) -> Result<Self, Error> {
        let refuse = |error| invalid_parameter(format!("The policy cannot be read: {error}."));
        let written: Written<&RawValue> = serde_json::from_str(text).map_err(refuse)?;
        let statements: Vec<&RawValue> = match written.statement {
            several if several.get().starts_with('[') => {
                serde_json::from_str(several.get()).map_err(refuse)?
            }
            one => vec![one],
        };
        Ok(Self {
            version: written.version,
            id: written.id,
            statements: statements.into_iter().map(|statement| statement.get().to_owned()).collect(),
        })
    }

    /// As JSON text.
    pub fn text(&self) -> Result<String, Error> {
        let statements: Result<Vec<&RawValue>, _> =
            self.statements.iter().map(|statement| serde_json::from_str(statement)).collect();
        let written = Written {
            version: self.version.clone(),
            id: self.id.clone(),
            statement: statements.map_err(crate::error::service)?,
        };
        serde_json::to_string(&written).map_err(crate::error::service)
    }

    /// Whether there is nothing left of it.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// One of its statements, as it was written.
    pub fn statement(&self, sid: &str) -> Option<&str> {
        self.statements.iter().map(String::as_str).find(|statement| sid_of(statement).as_deref() == Some(sid))
    }

    /// With one more statement, unless there is one of that name.
    pub fn with(mut self, sid: &str, statement: String) -> Result<Self, Error> {
        if self.statements.iter().any(|known| sid_of(known).as_deref() == Some(sid)) {
            return Err(Error::new(
                "ResourceConflictException",
                format!(
                    "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                     existing statement."
                ),
            ));
        }
        self.statements.push(statement);
        check_length(&self.text()?)?;
        Ok(self)
    }

    /// Without one of its statements.
    pub fn without(mut self, sid: &str) -> Result<Self, Error> {
        let before = self.statements.len();
        self.statements.retain(|statement| sid_of(statement).as_deref() != Some(sid));
        if self.statements.len() == before { Err(no_such_statement(sid)) } else { Ok(self) }
    }
}

/// Refuses a policy that is too long.
pub fn check_length(text: &str) -> Result<(), Error> {
    let bytes = text.len();
    if bytes > limits::POLICY_BYTES {
        return Err(Error::new(
            "PolicyLengthExceededException",
            format!("The final policy size ({bytes}) is bigger than the limit ({}).", limits::POLICY_BYTES),
        ));
    }
    Ok(())
}

fn sid_of(statement: &str) -> Option<String> {
    serde_json::from_str::<Named>(statement).ok()?.sid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str) -> String {
        format!(r#"{{"Sid":"{sid}","Effect":"Allow"}}"#)
    }

    #[test]
    fn a_statement_is_added_once_and_removed_once() {
        let policy = PolicyDocument::default().with("s", statement("s")).unwrap();
        assert_eq!(
            policy.text().unwrap(),
            r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow"}]}"#
        );
        assert_eq!(
            policy.clone().with("s", statement("s")).unwrap_err().to_string(),
            "ResourceConflictException: The statement id (s) provided already exists. Please provide a new statement \
             id, or remove the existing statement."
        );
        let without = policy.without("s").unwrap();
        assert!(without.is_empty());
        assert_eq!(
            without.without("s").unwrap_err().to_string(),
            "ResourceNotFoundException: Statement s is not found in resource policy."
        );
    }

    #[test]
    fn a_policy_that_would_be_longer_than_20_kib_is_refused() {
        let full = (0..1_000).try_fold(PolicyDocument::default(), |policy, index| {
            let sid = format!("s{index}");
            policy.with(&sid, statement(&sid))
        });
        let error = full.unwrap_err();
        assert_eq!(error.code, "PolicyLengthExceededException");
        assert!(error.message.ends_with("is bigger than the limit (20480)."), "{}", error.message);
    }

    #[test]
    fn a_statement_keeps_its_text() {
        let policy =
            PolicyDocument::read(r#"{"Statement": {"b" : 1,"a":2}, "Version":"2008-10-17"}"#).unwrap();
        assert_eq!(policy.text().unwrap(), r#"{"Version":"2008-10-17","Statement":[{"b" : 1,"a":2}]}"#);
    }
}
