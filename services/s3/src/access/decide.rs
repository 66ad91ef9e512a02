//! The decision, from all that has a say. Pure.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html>

use domain::Account;
use policy::{Caller, Context, Decision, Document, Grant, Request, granted, join};

use crate::buckets;
use crate::configuration::acl::{ALL_USERS, AUTHENTICATED_USERS, Acl, What, Who};
use crate::configuration::public_access::Blocked;

/// Who wants to do what.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) keys: &'a Context,
}

/// What has a say.
pub(super) struct Sides<'a> {
    /// The caller's own policies; none if they are not evaluated, and everything is allowed to it.
    pub(super) identity: Option<&'a [Document]>,
    pub(super) policy: Option<&'a Document>,
    pub(super) policy_is_public: bool,
    pub(super) bucket_owner: &'a str,
    /// Of an object, where objects are their writers'; else the bucket's.
    pub(super) owner: &'a str,
    /// Of the object or the bucket, where lists count.
    pub(super) acl: Option<&'a Acl>,
    pub(super) blocked: Blocked,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    DeniedByIdentity,
    DeniedByResource,
    NotAllowed,
}

impl Verdict {
    /// The end of AWS's sentence.
    pub(super) fn why(self, action: &str) -> String {
        match self {
            Self::DeniedByIdentity => "with an explicit deny in an identity-based policy".to_owned(),
            Self::DeniedByResource => "with an explicit deny in a resource-based policy".to_owned(),
            Self::Allowed | Self::NotAllowed => {
                format!("because no identity-based policy allows the {action} action")
            }
        }
    }
}

/// What the account's root may always do with the policy of its bucket, so that it cannot be locked out.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
const ROOT_ALWAYS: &[&str] = &["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

pub(super) fn decide(asked: &Asked<'_>, sides: &Sides<'_>) -> Verdict {
    let is_own_root =
        matches!(asked.caller, Caller::Root { account } if account.as_str() == sides.bucket_owner);
    if is_own_root && ROOT_ALWAYS.contains(&asked.action) {
        return Verdict::Allowed;
    }
    let request =
        Request { caller: asked.caller, action: asked.action, resource: asked.resource, context: asked.keys };
    let of_identity = match (asked.caller, sides.identity) {
        (Caller::Anonymous | Caller::Service(_), _) => Grant::None,
        (Caller::Root { .. }, _) | (_, None) => Grant::ToCaller,
        (Caller::Identity { .. }, Some(policies)) => granted(policies, &request),
    };
    if of_identity == Grant::Denied {
        return Verdict::DeniedByIdentity;
    }
    let of_policy = granted(sides.policy, &request);
    if of_policy == Grant::Denied {
        return Verdict::DeniedByResource;
    }
    let is_stranger =
        asked.caller.account() != Some(sides.bucket_owner) && !matches!(asked.caller, Caller::Service(_));
    let of_policy = if (sides.blocked.policy && sides.policy_is_public && is_stranger)
        // A bucket's policy opens what its owner has, and not what others wrote there.
        || sides.owner != sides.bucket_owner
    {
        Grant::None
    } else {
        of_policy
    };
    let of_acl = sides.acl.map_or(Grant::None, |acl| by_list(acl, asked, sides.blocked.acls));
    let of_resource = match (of_policy, of_acl) {
        (Grant::ToCaller, _) | (_, Grant::ToCaller) => Grant::ToCaller,
        (Grant::ToAccount, _) | (_, Grant::ToAccount) => Grant::ToAccount,
        _ => Grant::None,
    };
    match join(asked.caller, of_identity, sides.owner, of_resource) {
        Decision::Allowed => Verdict::Allowed,
        Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => Verdict::NotAllowed,
    }
}

/// What a list gives a caller for an action.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping>
fn by_list(acl: &Acl, asked: &Asked<'_>, public_is_ignored: bool) -> Grant {
    let Some(wanted) = permission(asked.action) else { return Grant::None };
    let id = asked.caller.account().and_then(Account::parse).map(|account| buckets::canonical_id(&account));
    let mut best = Grant::None;
    for (who, what) in &acl.grants {
        if *what != wanted && *what != What::FullControl {
            continue;
        }
        match who {
            Who::Account(grantee) if Some(grantee) == id.as_ref() && best == Grant::None => {
                best = Grant::ToAccount;
            }
            Who::Group(group) if public_is_ignored && group.contains("/global/") => {}
            Who::Group(group) if group == ALL_USERS => return Grant::ToCaller,
            Who::Group(group) if group == AUTHENTICATED_USERS && id.is_some() => return Grant::ToCaller,
            Who::Account(_) | Who::Group(_) => {}
        }
    }
    best
}

fn permission(action: &str) -> Option<What> {
    match action.trim_start_matches("s3:") {
        "ListBucket"
        | "ListBucketVersions"
        | "ListBucketMultipartUploads"
        | "GetObject"
        | "GetObjectVersion"
        | "GetObjectTorrent" => Some(What::Read),
        "PutObject" | "DeleteObject" => Some(What::Write),
        "GetBucketAcl" | "GetObjectAcl" | "GetObjectVersionAcl" => Some(What::ReadAcp),
        "PutBucketAcl" | "PutObjectAcl" | "PutObjectVersionAcl" => Some(What::WriteAcp),
        _ => None,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
