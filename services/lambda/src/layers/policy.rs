//! The policy of a layer version: who may use it besides its own account.

use domain::Account;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::Error;

use crate::error::service;
use crate::permissions::{self, PolicyDocument, Principal, no_such_statement};

/// The one action that a layer's policy can allow.
pub const ACTION: &str = "lambda:GetLayerVersion";

/// The statements of a layer version's policy, in the order in which they were added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Changes with every change.
    pub revision_id: Uuid,
    /// Who may do it.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// `StatementId`
    pub id: String,
    /// An account's number, the ARN of its root, or `*`.
    pub principal: String,
    /// `OrganizationId`: of everyone, only its members.
    pub organization: Option<String>,
}

impl Statement {
    /// The statement as JSON text, for the layer version with this ARN.
    pub fn text(&self, resource: &str) -> Result<String, Error> {
        let partition = resource.split(':').nth(1).unwrap_or("aws");
        let principal = Principal::parse(&self.principal, partition)
            .ok_or_else(|| service("a principal that its pattern should have refused"))?;
        let mut statement = permissions::Statement::new(&self.id, principal, ACTION, resource);
        statement.condition.string_equals.add("aws:PrincipalOrgID", self.organization.as_deref());
        statement.text()
    }

    fn allows(&self, account: &Account) -> bool {
        // There are no organizations here, so no account is a member of one.
        let everyone = self.principal == "*" && self.organization.is_none();
        let number = self.principal.split(':').nth(4).unwrap_or(&self.principal);
        everyone || number == account.as_str()
    }
}

impl Policy {
    /// The policy as JSON text, for the layer version with this ARN.
    pub fn text(&self, resource: &str) -> Result<String, Error> {
        self.document(resource)?.text()
    }

    fn document(&self, resource: &str) -> Result<PolicyDocument, Error> {
        (self.statements.iter()).try_fold(PolicyDocument::default(), |document, statement| {
            document.with(&statement.id, statement.text(resource)?)
        })
    }

    /// Whether an account may use the layer version.
    pub fn allows(&self, account: &Account) -> bool {
        self.statements.iter().any(|statement| statement.allows(account))
    }

    /// With one more statement. The revision is for the caller to renew.
    pub fn with(mut self, statement: Statement, resource: &str) -> Result<Self, Error> {
        self.document(resource)?.with(&statement.id, statement.text(resource)?)?;
        self.statements.push(statement);
        Ok(self)
    }

    /// Without one of its statements. The revision is for the caller to renew.
    pub fn without(mut self, id: &str) -> Result<Self, Error> {
        let before = self.statements.len();
        self.statements.retain(|statement| statement.id != id);
        if self.statements.len() == before { Err(no_such_statement(id)) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l:1";

    fn statement(id: &str, principal: &str) -> Statement {
        Statement { id: id.to_owned(), principal: principal.to_owned(), organization: None }
    }

    fn policy(statements: Vec<Statement>) -> Policy {
        Policy { revision_id: Uuid::nil(), statements }
    }

    #[test]
    fn an_account_its_root_and_everyone_are_shown_as_aws_shows_them() {
        let shown = |principal: &str| {
            format!(
                r#"{{"Sid":"s","Effect":"Allow","Principal":{principal},"Action":"lambda:GetLayerVersion","Resource":"{ARN}"}}"#
            )
        };
        let root = r#"{"AWS":"arn:aws:iam::111111111111:root"}"#;
        assert_eq!(statement("s", "111111111111").text(ARN).unwrap(), shown(root));
        assert_eq!(statement("s", "arn:aws:iam::111111111111:root").text(ARN).unwrap(), shown(root));
        assert_eq!(statement("s", "*").text(ARN).unwrap(), shown(r#""*""#));
    }

    #[test]
    fn an_organization_is_a_condition() {
        let members = Statement { organization: Some("o-abcdefghij".to_owned()), ..statement("s", "*") };
        assert!(
            members
                .text(ARN)
                .unwrap()
                .ends_with(r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}}"#)
        );
        assert!(!policy(vec![members]).allows(&Account::default()));
    }

    #[test]
    fn a_policy_allows_whom_it_names() {
        let (one, other) = (Account::parse("111111111111").unwrap(), Account::parse("222222222222").unwrap());
        for principal in ["111111111111", "arn:aws:iam::111111111111:root"] {
            let policy = policy(vec![statement("s", principal)]);
            assert!(policy.allows(&one) && !policy.allows(&other), "{principal}");
        }
        assert!(policy(vec![statement("s", "*")]).allows(&other));
        assert!(!policy(Vec::new()).allows(&other));
    }

    #[test]
    fn a_statement_is_added_once_and_removed_once() {
        let policy = policy(Vec::new()).with(statement("s", "*"), ARN).unwrap();
        assert_eq!(
            policy.clone().with(statement("s", "*"), ARN).unwrap_err().code,
            "ResourceConflictException"
        );
        let without = policy.without("s").unwrap();
        assert_eq!(
            without.without("s").unwrap_err().to_string(),
            "ResourceNotFoundException: Statement s is not found in resource policy."
        );
    }
}
