//! PutBucketOwnershipControls, GetBucketOwnershipControls, DeleteBucketOwnershipControls: whose objects are.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use s3s::S3Response;
use s3s::dto::{
    DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, GetBucketOwnershipControlsInput,
    GetBucketOwnershipControlsOutput, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput,
};
use store::Snapshot;

use super::{acl, clear, no_content, of_bucket, read};
use crate::call::Call;
use crate::error::{Refusal, malformed_xml, not_found};
use crate::{S3, buckets};

pub(crate) const KIND: &str = "ownershipControls";

/// Whose an object is, and whether access control lists count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The bucket owner's; no lists.
    BucketOwnerEnforced,
    /// The bucket owner's, if its writer gives it full control; else the writer's.
    BucketOwnerPreferred,
    /// The writer's.
    ObjectWriter,
}

impl Ownership {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            ObjectOwnership::BUCKET_OWNER_ENFORCED => Some(Self::BucketOwnerEnforced),
            ObjectOwnership::BUCKET_OWNER_PREFERRED => Some(Self::BucketOwnerPreferred),
            ObjectOwnership::OBJECT_WRITER => Some(Self::ObjectWriter),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => ObjectOwnership::BUCKET_OWNER_ENFORCED,
            Self::BucketOwnerPreferred => ObjectOwnership::BUCKET_OWNER_PREFERRED,
            Self::ObjectWriter => ObjectOwnership::OBJECT_WRITER,
        }
    }

    pub(crate) fn document(self) -> OwnershipControls {
        let object_ownership = ObjectOwnership::from_static(self.name());
        OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] }
    }
}

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketOwnershipControlsInput,
) -> Result<S3Response<PutBucketOwnershipControlsOutput>, Refusal> {
    let [rule] = input.ownership_controls.rules.as_slice() else { return Err(malformed_xml()) };
    let wanted = Ownership::parse(rule.object_ownership.as_str()).ok_or_else(malformed_xml)?;
    s3.write(move |tx| {
        let bucket = buckets::find(tx, &input.bucket)?;
        if wanted == Ownership::BucketOwnerEnforced && acl::of(tx, &bucket)?.is_shared() {
            return Err(acl::owner_enforced());
        }
        super::write(tx, &bucket.name, KIND, &wanted.document())
    })
    .await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketOwnershipControlsInput,
) -> Result<S3Response<GetBucketOwnershipControlsOutput>, Refusal> {
    let configured = of_bucket::<OwnershipControls>(s3, &input.bucket, KIND)?.ok_or_else(|| {
        not_found(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
            &input.bucket,
        )
    })?;
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls: Some(configured) }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketOwnershipControlsInput,
) -> Result<S3Response<DeleteBucketOwnershipControlsOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketOwnershipControlsOutput {}))
}

/// Whose a bucket's objects are; without a rule, their writers'.
pub(crate) fn of(snapshot: &Snapshot<'_>, bucket: &str) -> Result<Ownership, Refusal> {
    let configured = read::<OwnershipControls>(snapshot, bucket, KIND)?;
    let rule = configured.as_ref().and_then(|configured| configured.rules.first());
    let parsed = rule.and_then(|rule| Ownership::parse(rule.object_ownership.as_str()));
    Ok(parsed.unwrap_or(Ownership::ObjectWriter))
}
