//! PutBucketAcl and GetBucketAcl, and what access control lists are: who, besides the owner, may what.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

mod headers;

pub(crate) use headers::{Headers, canned_bucket, canned_object};

use domain::Account;
use s3s::dto::{
    AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, Grant, Grantee, Owner, Permission,
    PutBucketAclInput, PutBucketAclOutput, Type,
};
use s3s::{S3ErrorCode, S3Response};
use store::Snapshot;

use super::ownership::{self, Ownership};
use super::public_access::blocked;
use crate::call::Call;
use crate::error::{Refusal, access_denied, custom, invalid_argument, invalid_request, refuse};
use crate::record::Bucket;
use crate::{S3, buckets};

pub(crate) const KIND: &str = "acl";
pub(crate) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub(crate) const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
pub(crate) const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
const GRANTS_MAX: usize = 100;

/// A list, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acl {
    /// The owner's canonical id.
    pub(crate) owner: String,
    pub(crate) grants: Vec<(Who, What)>,
}

/// Whom a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// An account, by its canonical id.
    Account(String),
    /// A group, by its URI.
    Group(String),
}

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

impl Who {
    fn is_public(&self) -> bool {
        matches!(self, Self::Group(uri) if uri == ALL_USERS || uri == AUTHENTICATED_USERS)
    }
}

impl What {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            Permission::FULL_CONTROL => Some(Self::FullControl),
            Permission::READ => Some(Self::Read),
            Permission::WRITE => Some(Self::Write),
            Permission::READ_ACP => Some(Self::ReadAcp),
            Permission::WRITE_ACP => Some(Self::WriteAcp),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::FullControl => Permission::FULL_CONTROL,
            Self::Read => Permission::READ,
            Self::Write => Permission::WRITE,
            Self::ReadAcp => Permission::READ_ACP,
            Self::WriteAcp => Permission::WRITE_ACP,
        }
    }
}

impl Acl {
    /// The owner's, and nobody else's.
    pub(crate) fn private(owner: &Account) -> Self {
        let id = buckets::canonical_id(owner);
        Self { owner: id.clone(), grants: vec![(Who::Account(id), What::FullControl)] }
    }

    /// Whether anybody but the owner is let in.
    pub(crate) fn is_shared(&self) -> bool {
        self.grants.iter().any(|(who, _)| !matches!(who, Who::Account(id) if *id == self.owner))
    }

    /// Whether everybody, or everybody with an account, is let in.
    pub(crate) fn is_public(&self) -> bool {
        self.grants.iter().any(|(who, _)| who.is_public())
    }

    /// What a document says.
    pub(crate) fn parse(document: AccessControlPolicy) -> Result<Self, Refusal> {
        let owner = document.owner.and_then(|owner| owner.id).ok_or_else(malformed)?;
        let given = document.grants.unwrap_or_default();
        if given.len() > GRANTS_MAX {
            return Err(malformed());
        }
        let mut grants = Vec::with_capacity(given.len());
        for grant in given {
            let (Some(grantee), Some(permission)) = (grant.grantee, grant.permission) else {
                return Err(malformed());
            };
            let what = What::parse(permission.as_str()).ok_or_else(malformed)?;
            let who = match grantee.type_.as_str() {
                Type::CANONICAL_USER => account(grantee.id.as_deref().ok_or_else(malformed)?)?,
                Type::GROUP => group(grantee.uri.as_deref().ok_or_else(malformed)?)?,
                Type::AMAZON_CUSTOMER_BY_EMAIL => return Err(by_email()),
                _ => return Err(malformed()),
            };
            grants.push((who, what));
        }
        Ok(Self { owner, grants })
    }

    /// What a stored document says.
    pub(crate) fn read(document: &str) -> Result<Self, Refusal> {
        let mut reader = s3s::xml::Deserializer::new(document.as_bytes());
        let document = s3s::xml::Deserialize::deserialize(&mut reader).map_err(|error| {
            tracing::error!(?error, "a stored list of access cannot be read");
            crate::error::internal()
        })?;
        Self::parse(document)
    }

    pub(crate) fn document(&self) -> AccessControlPolicy {
        let grants = self.grants.iter().map(|(who, what)| {
            let grantee = |type_| Grantee {
                display_name: None,
                email_address: None,
                id: None,
                type_: Type::from_static(type_),
                uri: None,
            };
            let grantee = match who {
                Who::Account(id) => Grantee { id: Some(id.clone()), ..grantee(Type::CANONICAL_USER) },
                Who::Group(uri) => Grantee { uri: Some(uri.clone()), ..grantee(Type::GROUP) },
            };
            Grant { grantee: Some(grantee), permission: Some(Permission::from_static(what.name())) }
        });
        let owner = Owner { id: Some(self.owner.clone()), ..Default::default() };
        AccessControlPolicy { grants: Some(grants.collect()), owner: Some(owner) }
    }
}

/// An account by its canonical id.
fn account(id: &str) -> Result<Who, Refusal> {
    let is_one = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one {
        Ok(Who::Account(id.to_ascii_lowercase()))
    } else {
        Err(invalid_argument("Invalid id").with("ArgumentName", "CanonicalUser/ID").with("ArgumentValue", id))
    }
}

/// A group by its URI.
fn group(uri: &str) -> Result<Who, Refusal> {
    if [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY].contains(&uri) {
        Ok(Who::Group(uri.to_owned()))
    } else {
        Err(invalid_argument("Invalid group uri").with("ArgumentName", "uri").with("ArgumentValue", uri))
    }
}

fn by_email() -> Refusal {
    refuse(
        S3ErrorCode::UnresolvableGrantByEmailAddress,
        "The e-mail address you provided does not match any account on record.",
    )
}

fn malformed() -> Refusal {
    refuse(
        S3ErrorCode::MalformedACLError,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// The bucket takes no lists.
pub(crate) fn not_supported() -> Refusal {
    refuse(S3ErrorCode::AccessControlListNotSupported, "The bucket does not allow ACLs")
}

/// It has a list, and is not to take any.
pub(crate) fn owner_enforced() -> Refusal {
    custom(
        "InvalidBucketAclWithObjectOwnership",
        http::StatusCode::BAD_REQUEST,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
}

/// A bucket's list.
pub(crate) fn of(snapshot: &Snapshot<'_>, bucket: &Bucket) -> Result<Acl, Refusal> {
    match super::read::<AccessControlPolicy>(snapshot, &bucket.name, KIND)? {
        Some(document) => Acl::parse(document),
        None => Ok(Acl::private(&bucket.owner)),
    }
}

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketAclInput,
) -> Result<S3Response<PutBucketAclOutput>, Refusal> {
    let headers = Headers {
        full_control: input.grant_full_control,
        read: input.grant_read,
        read_acp: input.grant_read_acp,
        write: input.grant_write,
        write_acp: input.grant_write_acp,
    };
    let grants = headers.grants()?;
    let (canned, document) = (input.acl, input.access_control_policy);
    if canned.is_some() && grants.is_some() {
        return Err(invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"));
    }
    if document.is_some() && (canned.is_some() || grants.is_some()) {
        return Err(refuse(S3ErrorCode::UnexpectedContent, "This request does not support content"));
    }
    let document = document.map(Acl::parse).transpose()?;
    s3.write(move |tx| {
        let bucket = buckets::find(tx, &input.bucket)?;
        if ownership::of(tx, &bucket.name)? == Ownership::BucketOwnerEnforced {
            return Err(not_supported());
        }
        let owner = buckets::canonical_id(&bucket.owner);
        let wanted = match (canned, grants, document) {
            (Some(canned), ..) => canned_bucket(canned.as_str(), &bucket.owner)?,
            (None, Some(grants), _) => Acl { owner, grants },
            (None, None, Some(document)) if document.owner == owner => document,
            // Who owns a bucket cannot be changed.
            (None, None, Some(_)) => return Err(access_denied()),
            (None, None, None) => {
                return Err(custom(
                    "MissingSecurityHeader",
                    http::StatusCode::BAD_REQUEST,
                    "Your request was missing a required header",
                )
                .with("MissingHeaderName", "x-amz-acl"));
            }
        };
        if wanted.is_public() && blocked(tx, &bucket.name)?.new_acls {
            return Err(access_denied());
        }
        super::write(tx, &bucket.name, KIND, &wanted.document())
    })
    .await?;
    Ok(S3Response::new(PutBucketAclOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketAclInput,
) -> Result<S3Response<GetBucketAclOutput>, Refusal> {
    let found = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        of(snapshot, &bucket)
    })?;
    let AccessControlPolicy { grants, owner } = found.document();
    Ok(S3Response::new(GetBucketAclOutput { grants, owner }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_its_document_says() {
        let owner = Account::default();
        let mut acl = Acl::private(&owner);
        assert!(!acl.is_shared() && !acl.is_public());
        acl.grants.push((Who::Account("b".repeat(64)), What::Read));
        assert!(acl.is_shared() && !acl.is_public());
        acl.grants.push((Who::Group(ALL_USERS.into()), What::Write));
        assert!(acl.is_public());
        assert_eq!(Acl::parse(acl.document()).unwrap(), acl);
    }

    #[test]
    fn grantees_that_nobody_is_are_refused() {
        let code = |who: Result<Who, Refusal>| who.unwrap_err().0.message().unwrap_or_default().to_owned();
        assert_eq!(code(account("nobody")), "Invalid id");
        assert_eq!(code(group("http://example.com/group")), "Invalid group uri");
    }
}
