//! What is stored, and under which keys.
//!
//! IAM is global: records belong to an account, not to a region. Names are unique whatever their case, so keys hold
//! them in lower case. What belongs to a role or user is kept under its id, which a renamed user keeps.

use domain::{Account, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Table};

use crate::error::{Failure, no_such_entity};

/// Roles by account and name.
pub(crate) static ROLES: Table<(Account, String), Role> = Table::new("iam.roles");
/// Users by account and name.
pub(crate) static USERS: Table<(Account, String), User> = Table::new("iam.users");
/// Customer managed policies by account and name.
pub(crate) static POLICIES: Table<(Account, String), Policy> = Table::new("iam.policies");
/// Inline policies' documents by the owner's id and the policy's name.
pub(crate) static INLINE_POLICIES: Table<(String, String), String> = Table::new("iam.inline_policies");
/// Managed policies' ARNs by the id of what they are attached to.
pub(crate) static ATTACHED_POLICIES: Table<(String, String), ()> = Table::new("iam.attached_policies");
/// The same the other way round: account, policy's ARN, id.
pub(crate) static ATTACHMENTS: Table<(Account, String, String), ()> = Table::new("iam.attachments");
/// Access keys by their id.
pub(crate) static ACCESS_KEYS: Table<String, AccessKey> = Table::new("iam.access_keys");
/// Access key ids by the id of their user.
pub(crate) static USER_ACCESS_KEYS: Table<(String, String), ()> = Table::new("iam.user_access_keys");
/// Who has an id.
pub(crate) static OWNERS: Table<String, Owner> = Table::new("iam.owners");

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name, in its creator's case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// `AROA…`
    pub id: String,
    /// `arn:aws:iam::<account>:role<path><name>`
    pub arn: String,
    /// When it was created.
    pub created: Timestamp,
    /// Who may assume it: the document as it was given.
    pub trust_policy: String,
    /// What it is for.
    pub description: Option<String>,
    /// The longest session that `AssumeRole` grants, in seconds.
    pub max_session_seconds: i32,
    /// Tags, in the order they were added.
    pub tags: Vec<Tag>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    pub(crate) tags: Vec<Tag>,
}

/// A customer managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<Tag>,
    /// Oldest first.
    pub(crate) versions: Vec<PolicyVersion>,
    /// The number of the version in effect.
    pub(crate) default_version: u64,
    /// Numbers are not used twice.
    pub(crate) next_version: u64,
}

/// One version of a customer managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyVersion {
    pub(crate) number: u64,
    pub(crate) created: Timestamp,
    /// As it was given.
    pub(crate) document: String,
}

/// A long-term access key of a user.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    pub(crate) user_id: String,
    pub(crate) secret: String,
    pub(crate) is_active: bool,
    pub(crate) created: Timestamp,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Unique in its resource, whatever its case.
    pub key: String,
    /// Possibly empty.
    pub value: String,
}

/// What inline policies, attachments and access keys belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) kind: OwnerKind,
    pub(crate) account: Account,
    /// The current name.
    pub(crate) name: String,
    pub(crate) id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OwnerKind {
    Role,
    User,
}

impl OwnerKind {
    /// As messages call it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

impl Owner {
    pub(crate) fn role(snapshot: &Snapshot<'_>, account: &Account, name: &str) -> Result<Self, Failure> {
        let Role { name, id, .. } = role(snapshot, account, name)?;
        Ok(Self { kind: OwnerKind::Role, account: account.clone(), name, id })
    }

    pub(crate) fn user(snapshot: &Snapshot<'_>, account: &Account, name: &str) -> Result<Self, Failure> {
        let User { name, id, .. } = user(snapshot, account, name)?;
        Ok(Self { kind: OwnerKind::User, account: account.clone(), name, id })
    }
}

/// The part of a key that a name is.
pub(crate) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

pub(crate) fn role(snapshot: &Snapshot<'_>, account: &Account, name: &str) -> Result<Role, Failure> {
    let found = snapshot.get(&ROLES, (account, key(name)))?;
    Ok(found.ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))?)
}

pub(crate) fn user(snapshot: &Snapshot<'_>, account: &Account, name: &str) -> Result<User, Failure> {
    let found = snapshot.get(&USERS, (account, key(name)))?;
    Ok(found.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))?)
}
