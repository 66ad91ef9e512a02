//! The policy of a layer version: who may use it besides its own account.

use domain::{Account, limits};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::Error;

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

/// A policy as the API shows it. The order of the members is AWS's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    id: &'static str,
    statement: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    sid: &'a str,
    effect: &'static str,
    principal: ShownPrincipal,
    action: &'static str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownPrincipal {
    Everyone(&'static str),
    Account {
        #[serde(rename = "AWS")]
        arn: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_equals: InOrganization<'a>,
}

#[derive(Serialize)]
struct InOrganization<'a> {
    #[serde(rename = "aws:PrincipalOrgID")]
    id: &'a str,
}

impl Statement {
    /// The statement as JSON text, for the layer version with this ARN.
    pub fn text(&self, resource: &str) -> Result<String, Error> {
        serde_json::to_string(&self.shown(resource)).map_err(crate::error::service)
    }

    fn shown<'a>(&'a self, resource: &'a str) -> Shown<'a> {
        let principal = match self.principal.as_str() {
            "*" => ShownPrincipal::Everyone("*"),
            arn if arn.starts_with("arn:") => ShownPrincipal::Account { arn: arn.to_owned() },
            account => {
                let partition = resource.split(':').nth(1).unwrap_or("aws");
                ShownPrincipal::Account { arn: format!("arn:{partition}:iam::{account}:root") }
            }
        };
        let in_organization = |id| Condition { string_equals: InOrganization { id } };
        Shown {
            sid: &self.id,
            effect: "Allow",
            principal,
            action: ACTION,
            resource,
            condition: self.organization.as_deref().map(in_organization),
        }
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
        let statement = self.statements.iter().map(|statement| statement.shown(resource)).collect();
        let document = Document { version: "2012-10-17", id: "default", statement };
        serde_json::to_string(&document).map_err(crate::error::service)
    }

    /// Whether an account may use the layer version.
    pub fn allows(&self, account: &Account) -> bool {
        self.statements.iter().any(|statement| statement.allows(account))
    }

    /// With one more statement. The revision is for the caller to renew.
    pub fn with(mut self, statement: Statement, resource: &str) -> Result<Self, Error> {
        if self.statements.iter().any(|known| known.id == statement.id) {
            return Err(Error::new(
                "ResourceConflictException",
                format!(
                    "The statement id ({}) provided already exists. Please provide a new statement id, or remove the \
                     existing statement.",
                    statement.id
                ),
            ));
        }
        self.statements.push(statement);
        let bytes = self.text(resource)?.len();
        if bytes > limits::POLICY_BYTES {
            return Err(Error::new(
                "PolicyLengthExceededException",
                format!(
                    "The final policy size ({bytes}) is bigger than the limit ({}).",
                    limits::POLICY_BYTES
                ),
            ));
        }
        Ok(self)
    }

    /// Without one of its statements. The revision is for the caller to renew.
    pub fn without(mut self, id: &str) -> Result<Self, Error> {
        let before = self.statements.len();
        self.statements.retain(|statement| statement.id != id);
        if self.statements.len() == before { Err(no_such_statement(id)) } else { Ok(self) }
    }
}

/// The policy has no statement of that name.
pub fn no_such_statement(id: &str) -> Error {
    Error::new("ResourceNotFoundException", format!("Statement {id} is not found in resource policy."))
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
    fn a_policy_that_would_be_longer_than_20_kib_is_refused() {
        let full = (0..1_000).try_fold(policy(Vec::new()), |policy, index| {
            policy.with(statement(&format!("s{index}"), "111111111111"), ARN)
        });
        let error = full.unwrap_err();
        assert_eq!(error.code, "PolicyLengthExceededException");
        assert!(error.message.ends_with("is bigger than the limit (20480)."), "{}", error.message);
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
