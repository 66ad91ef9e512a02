//! Access control lists of objects: as writes ask for them, PutObjectAcl and GetObjectAcl, and whose an object is.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use std::sync::Arc;

use domain::Account;
use http::HeaderMap;
use s3s::S3Response;
use s3s::dto::{
    AccessControlPolicy, GetObjectAclInput, GetObjectAclOutput, PutObjectAclInput, PutObjectAclOutput,
};
use s3s::xml::{Deserialize as _, Deserializer, Serialize as _, Serializer};
use store::Snapshot;

use super::{change, existing};
use crate::call::Call;
use crate::configuration::acl::{Acl, Headers, What, Who, canned_object, not_supported};
use crate::configuration::ownership::{self, Ownership};
use crate::configuration::public_access::blocked;
use crate::error::{Refusal, access_denied, custom, internal, invalid_request, refuse};
use crate::notify::Happened;
use crate::record::{Bucket, Version};
use crate::{S3, buckets};

const CANNED: &str = "x-amz-acl";
/// What the owner of a bucket that owns its objects has anyway.
const BUCKET_OWNERS: &str = "bucket-owner-full-control";

/// Whose what a call writes into a bucket is.
pub(super) fn owner(snapshot: &Snapshot<'_>, bucket: &Bucket, call: &Call) -> Result<Account, Refusal> {
    let given = call.context.headers.get(CANNED).is_some_and(|canned| canned == BUCKET_OWNERS);
    Ok(match ownership::of(snapshot, &bucket.name)? {
        Ownership::BucketOwnerEnforced => bucket.owner.clone(),
        Ownership::BucketOwnerPreferred if given => bucket.owner.clone(),
        Ownership::BucketOwnerPreferred | Ownership::ObjectWriter => call.account().clone(),
    })
}

/// The list that the headers of a write ask for, as it is kept; nothing for the owner's own.
pub(crate) fn of_write(
    snapshot: &Snapshot<'_>,
    bucket: &Bucket,
    call: &Call,
) -> Result<Option<String>, Refusal> {
    let headers = &call.context.headers;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (canned, grants) = (text(CANNED), granted(headers).grants()?);
    if canned.is_some() && grants.is_some() {
        return Err(both());
    }
    let owner = owner(snapshot, bucket, call)?;
    let wanted = match (canned, grants) {
        (Some(canned), _) => canned_object(&canned, &owner, &bucket.owner)?,
        (None, Some(grants)) => Acl { owner: buckets::canonical_id(&owner), grants },
        (None, None) => return Ok(None),
    };
    if ownership::of(snapshot, &bucket.name)? == Ownership::BucketOwnerEnforced {
        // Asking for what is so anyway is all that can be asked; `private` is more than that.
        let of_owner = (Who::Account(buckets::canonical_id(&bucket.owner)), What::FullControl);
        let harmless = match text(CANNED) {
            Some(canned) => canned == BUCKET_OWNERS,
            None => wanted.grants == [of_owner],
        };
        return if harmless { Ok(None) } else { Err(not_supported()) };
    }
    check_public(snapshot, bucket, &wanted)?;
    kept(&wanted, &owner)
}

fn granted(headers: &HeaderMap) -> Headers {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Headers {
        full_control: text("x-amz-grant-full-control"),
        read: text("x-amz-grant-read"),
        read_acp: text("x-amz-grant-read-acp"),
        write: text("x-amz-grant-write"),
        write_acp: text("x-amz-grant-write-acp"),
    }
}

/// An object's list; its owner's own where the bucket takes none.
pub(crate) fn of(snapshot: &Snapshot<'_>, bucket: &Bucket, version: &Version) -> Result<Acl, Refusal> {
    if ownership::of(snapshot, &bucket.name)? == Ownership::BucketOwnerEnforced {
        return Ok(Acl::private(&bucket.owner));
    }
    let kept = version.object.as_ref().and_then(|object| object.acl.as_ref());
    let Some(kept) = kept else { return Ok(Acl::private(&version.owner)) };
    let document = AccessControlPolicy::deserialize(&mut Deserializer::new(kept.as_bytes()));
    Acl::parse(document.map_err(|_| internal())?)
}

/// A list as it is kept: none if it is what its owner has without one.
fn kept(acl: &Acl, owner: &Account) -> Result<Option<String>, Refusal> {
    if *acl == Acl::private(owner) {
        return Ok(None);
    }
    let mut document = Vec::new();
    acl.document().serialize(&mut Serializer::new(&mut document)).map_err(|_| internal())?;
    String::from_utf8(document).map(Some).map_err(|_| internal())
}

fn check_public(snapshot: &Snapshot<'_>, bucket: &Bucket, acl: &Acl) -> Result<(), Refusal> {
    if acl.is_public() && blocked(snapshot, &bucket.name)?.new_acls { Err(access_denied()) } else { Ok(()) }
}

fn both() -> Refusal {
    invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")
}

pub(crate) async fn put_acl(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectAclInput,
) -> Result<S3Response<PutObjectAclOutput>, Refusal> {
    let grants = granted(&call.context.headers).grants()?;
    let (canned, document) = (input.acl, input.access_control_policy);
    if canned.is_some() && grants.is_some() {
        return Err(both());
    }
    if document.is_some() && (canned.is_some() || grants.is_some()) {
        return Err(refuse(s3s::S3ErrorCode::UnexpectedContent, "This request does not support content"));
    }
    let document = document.map(Acl::parse).transpose()?;
    let (state, call) = (s3.clone(), Arc::clone(call));
    s3.write(move |tx| {
        let bucket = buckets::find(tx, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        if ownership::of(tx, &bucket.name)? == Ownership::BucketOwnerEnforced {
            return Err(not_supported());
        }
        let (bucket, rank, mut version) = existing(tx, bucket, &input.key, input.version_id.as_deref())?;
        let owner = buckets::canonical_id(&version.owner);
        let wanted = match (canned, grants, document) {
            (Some(canned), ..) => canned_object(canned.as_str(), &version.owner, &bucket.owner)?,
            (None, Some(grants), _) => Acl { owner, grants },
            (None, None, Some(document)) if document.owner == owner => document,
            // Who owns an object cannot be changed so.
            (None, None, Some(_)) => return Err(access_denied()),
            (None, None, None) => return Err(missing()),
        };
        check_public(tx, &bucket, &wanted)?;
        let new = kept(&wanted, &version.owner)?;
        let object = version.object.as_mut().ok_or_else(internal)?;
        if object.acl == new {
            // Nobody is told of what did not change.
            return Ok(());
        }
        object.acl = new;
        let happened = Some(Happened::AclPut);
        change::amend(&state, tx, &call, &bucket, &input.key, rank, &version, happened)
    })
    .await?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

fn missing() -> Refusal {
    custom(
        "MissingSecurityHeader",
        http::StatusCode::BAD_REQUEST,
        "Your request was missing a required header",
    )
    .with("MissingHeaderName", CANNED)
}

pub(crate) async fn acl(
    s3: &S3,
    call: &Call,
    input: GetObjectAclInput,
) -> Result<S3Response<GetObjectAclOutput>, Refusal> {
    let found = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        let (bucket, _, version) = existing(snapshot, bucket, &input.key, input.version_id.as_deref())?;
        of(snapshot, &bucket, &version)
    })?;
    let AccessControlPolicy { grants, owner } = found.document();
    Ok(S3Response::new(GetObjectAclOutput { grants, owner, ..Default::default() }))
}
