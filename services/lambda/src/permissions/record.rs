//! Where policies are stored, and what they belong to.

use domain::{FunctionName, Qualifier, Scope};
use store::{Snapshot, Table, Tx};
use uuid::Uuid;
use wire::Error;

use super::PolicyDocument;
use crate::aliases::{ALIASES, AliasRecord};
use crate::error::{Refusal, invalid_parameter, no_such_alias};
use crate::functions::Target;
use crate::record::{FUNCTIONS, FunctionRecord};

/// Resource policies by the function and the qualifier; the function's own is under `$LATEST`.
pub static POLICIES: Table<(Scope, FunctionName, String), PolicyDocument> = Table::new("lambda.policies");

/// What a policy belongs to: its revision id is the policy's.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A function or a version.
    Version(Box<FunctionRecord>),
    /// An alias.
    Alias(AliasRecord),
}

impl Subject {
    /// Finds what a request is about, in the words of the operations on permissions.
    pub fn find(snapshot: &Snapshot<'_>, target: &Target) -> Result<Self, Refusal> {
        let function = Target { qualifier: None, ..target.clone() };
        let latest = function.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        match &target.qualifier {
            None | Some(Qualifier::Latest) => Ok(Self::Version(Box::new(latest))),
            Some(Qualifier::Version(number)) => {
                let version = domain::Version::Number(*number);
                let found = FunctionRecord::read(snapshot, &target.scope, &target.name, version)?;
                Ok(Self::Version(Box::new(target.expect(found)?)))
            }
            Some(Qualifier::Alias(name)) => {
                let found = snapshot.get(&ALIASES, (&target.scope, &target.name, name))?;
                let found = found.ok_or_else(|| no_such_alias(&target.scope, &target.name, name))?;
                Ok(Self::Alias(found))
            }
        }
    }

    /// Its revision id.
    pub fn revision_id(&self) -> Uuid {
        match self {
            Self::Version(record) => record.revision_id,
            Self::Alias(record) => record.revision_id,
        }
    }

    /// Whether a caller saw this revision of it. Each operation names another one that tells the present.
    pub fn check_revision(&self, asked: Option<&str>, tell: &str) -> Result<(), Error> {
        match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) if asked.parse().ok() != Some(self.revision_id()) => Err(Error::new(
                "PreconditionFailedException",
                format!(
                    "The Revision Id provided does not match the latest Revision Id. Call the {tell} API to retrieve \
                     the latest Revision Id"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Its policy changed: so does its revision id.
    pub fn renew(self, tx: &mut Tx<'_>) -> Result<Uuid, Refusal> {
        let revision_id = Uuid::new_v4();
        match self {
            Self::Version(record) => FunctionRecord { revision_id, ..*record }.write(tx)?,
            Self::Alias(record) => {
                tx.put(&ALIASES, record.key(), &AliasRecord { revision_id, ..record })?;
            }
        }
        Ok(revision_id)
    }
}

/// The function has a policy of its own, but `$LATEST` by that name has none.
pub fn refuse_latest(target: &Target) -> Result<(), Error> {
    match target.qualifier {
        Some(Qualifier::Latest) => {
            Err(invalid_parameter("We currently do not support adding policies for $LATEST."))
        }
        _ => Ok(()),
    }
}
