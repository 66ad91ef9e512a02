//! PutPublicAccessBlock, GetPublicAccessBlock, DeletePublicAccessBlock.
//!
//! New buckets have everything blocked, as at AWS since April 2023.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use s3s::S3Response;
use s3s::dto::{
    DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetPublicAccessBlockInput,
    GetPublicAccessBlockOutput, PublicAccessBlockConfiguration, PutPublicAccessBlockInput,
    PutPublicAccessBlockOutput,
};
use store::Snapshot;

use super::{clear, no_content, of_bucket, read};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, not_found};

pub(crate) const KIND: &str = "publicAccessBlock";

/// What of the public is kept out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Lists that open something to the public are refused.
    pub(crate) new_acls: bool,
    /// Those that are there do not count.
    pub(crate) acls: bool,
    /// Policies that open something to the public are refused.
    pub(crate) new_policy: bool,
    /// One that is there lets in nobody but the owner's account and AWS's services.
    pub(crate) policy: bool,
}

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutPublicAccessBlockInput,
) -> Result<S3Response<PutPublicAccessBlockOutput>, Refusal> {
    let wanted = input.public_access_block_configuration;
    let set = |setting: Option<bool>| Some(setting.unwrap_or(false));
    let whole = PublicAccessBlockConfiguration {
        block_public_acls: set(wanted.block_public_acls),
        block_public_policy: set(wanted.block_public_policy),
        ignore_public_acls: set(wanted.ignore_public_acls),
        restrict_public_buckets: set(wanted.restrict_public_buckets),
    };
    super::put(s3, input.bucket, KIND, whole).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetPublicAccessBlockInput,
) -> Result<S3Response<GetPublicAccessBlockOutput>, Refusal> {
    let configured =
        of_bucket::<PublicAccessBlockConfiguration>(s3, &input.bucket, KIND)?.ok_or_else(|| {
            not_found(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
                &input.bucket,
            )
        })?;
    Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: Some(configured) }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeletePublicAccessBlockInput,
) -> Result<S3Response<DeletePublicAccessBlockOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeletePublicAccessBlockOutput {}))
}

/// What a new bucket has.
pub(crate) fn everything() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    }
}

/// What a bucket keeps out.
pub(crate) fn blocked(snapshot: &Snapshot<'_>, bucket: &str) -> Result<Blocked, Refusal> {
    let configured = read::<PublicAccessBlockConfiguration>(snapshot, bucket, KIND)?.unwrap_or_default();
    Ok(Blocked {
        new_acls: configured.block_public_acls == Some(true),
        acls: configured.ignore_public_acls == Some(true),
        new_policy: configured.block_public_policy == Some(true),
        policy: configured.restrict_public_buckets == Some(true),
    })
}
