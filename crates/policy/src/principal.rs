//! Who a statement is about, and who asks.

use crate::document::Kind;

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// These.
    Named(Named),
    /// All but these.
    AllBut(Named),
}

/// The principals of one element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `"*"`
    pub everyone: bool,
    /// `AWS`: accounts, ARNs, or `*`.
    pub aws: Vec<String>,
    /// `Service`
    pub services: Vec<String>,
    /// `Federated`
    pub federated: Vec<String>,
    /// `CanonicalUser`
    pub canonical_users: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An AWS service, such as `s3.amazonaws.com`.
    Service(String),
    /// The root user of an account.
    Root {
        /// The account.
        account: String,
    },
    /// A user, or a session of a role.
    Identity {
        /// The account that it belongs to.
        account: String,
        /// Every ARN under which a policy may name it: the user's; the session's and its role's.
        arns: Vec<String>,
    },
    /// Nobody known.
    Anonymous,
}

/// How a statement names a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NamedAs {
    /// Not at all.
    Nobody,
    /// By the account, which decides for itself whom it lets.
    Account,
    /// By its own name, or as everyone.
    Itself,
}

impl From<&domain::Principal> for Caller {
    /// By the ARNs that a resource policy names callers by. A role's path is not in its sessions' ARNs, and so not here.
    fn from(principal: &domain::Principal) -> Self {
        let account = principal.account().as_str().to_owned();
        let arns = match principal {
            domain::Principal::Root(_) => return Self::Root { account },
            domain::Principal::User { name, path, .. } => {
                vec![format!("arn:aws:iam::{account}:user{path}{name}")]
            }
            domain::Principal::AssumedRole { role, session, .. } => vec![
                format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
                format!("arn:aws:iam::{account}:role/{role}"),
            ],
        };
        Self::Identity { account, arns }
    }
}

impl Caller {
    /// The account, of those that have one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Root { account } | Self::Identity { account, .. } => Some(account),
            Self::Service(_) | Self::Anonymous => None,
        }
    }
}

impl Principals {
    /// Whether anyone at all is among them.
    pub fn is_everyone(&self) -> bool {
        matches!(self, Self::AllBut(_)) || matches!(self, Self::Named(named) if named.is_everyone())
    }

    pub(crate) fn names(&self, caller: &Caller, kind: Kind) -> NamedAs {
        match self {
            Self::Named(named) => named.names(caller, kind),
            // An account in the list excepts its root user, and not the others in it.
            Self::AllBut(named) => match named.names(caller, kind) {
                NamedAs::Nobody | NamedAs::Account => NamedAs::Itself,
                NamedAs::Itself => NamedAs::Nobody,
            },
        }
    }
}

impl Named {
    fn is_everyone(&self) -> bool {
        self.everyone || self.aws.iter().any(|name| name == "*")
    }

    fn names(&self, caller: &Caller, kind: Kind) -> NamedAs {
        let itself = |is_so: bool| if is_so { NamedAs::Itself } else { NamedAs::Nobody };
        match caller {
            // A role is assumed by whom its trust policy names: everyone is everyone with an identity.
            Caller::Service(service) => {
                itself(self.services.contains(service) || (kind != Kind::Trust && self.is_everyone()))
            }
            Caller::Anonymous => itself(kind != Kind::Trust && self.is_everyone()),
            Caller::Root { .. } if self.is_everyone() => NamedAs::Itself,
            Caller::Root { account } => {
                // The root user is the account.
                itself(self.aws.iter().any(|name| is_account(name, account)))
            }
            Caller::Identity { account, arns } => {
                if self.is_everyone() || self.aws.iter().any(|name| arns.contains(name)) {
                    NamedAs::Itself
                } else if self.aws.iter().any(|name| is_account(name, account)) {
                    NamedAs::Account
                } else {
                    NamedAs::Nobody
                }
            }
        }
    }
}

/// `123456789012` or `arn:aws:iam::123456789012:root`
fn is_account(name: &str, account: &str) -> bool {
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    name == account || matches!(parts[..], ["arn", _, "iam", "", owner, "root"] if owner == account)
}
