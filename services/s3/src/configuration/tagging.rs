//! PutBucketTagging, GetBucketTagging, DeleteBucketTagging.

use std::collections::BTreeSet;

use s3s::dto::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    PutBucketTaggingInput, PutBucketTaggingOutput, Tag, Tagging,
};
use s3s::{S3ErrorCode, S3Response};

use super::{clear, no_content, of_bucket};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, custom, not_found, refuse};

pub(crate) const KIND: &str = "tagging";
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html>
const TAGS_MAX: usize = 50;
const KEY_CHARACTERS_MAX: usize = 128;
const VALUE_CHARACTERS_MAX: usize = 256;

pub(crate) async fn put(
    s3: &S3,
    _: &Call,
    input: PutBucketTaggingInput,
) -> Result<S3Response<PutBucketTaggingOutput>, Refusal> {
    check(&input.tagging.tag_set)?;
    super::put(s3, input.bucket, KIND, input.tagging).await?;
    Ok(no_content(PutBucketTaggingOutput {}))
}

pub(crate) async fn get(
    s3: &S3,
    _: &Call,
    input: GetBucketTaggingInput,
) -> Result<S3Response<GetBucketTaggingOutput>, Refusal> {
    let found = of_bucket::<Tagging>(s3, &input.bucket, KIND)?.filter(|tagging| !tagging.tag_set.is_empty());
    let tagging =
        found.ok_or_else(|| not_found("NoSuchTagSet", "The TagSet does not exist", &input.bucket))?;
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tagging.tag_set }))
}

pub(crate) async fn delete(
    s3: &S3,
    _: &Call,
    input: DeleteBucketTaggingInput,
) -> Result<S3Response<DeleteBucketTaggingOutput>, Refusal> {
    clear(s3, input.bucket, KIND).await?;
    Ok(no_content(DeleteBucketTaggingOutput {}))
}

/// Whether a bucket can have these tags.
pub(crate) fn check(tags: &[Tag]) -> Result<(), Refusal> {
    if tags.len() > TAGS_MAX {
        return Err(custom(
            "BadRequest",
            http::StatusCode::BAD_REQUEST,
            format!("Bucket tag count cannot be greater than {TAGS_MAX}"),
        ));
    }
    let mut seen = BTreeSet::new();
    for tag in tags {
        let (key, value) = (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default());
        let invalid = |message| Err(refuse(S3ErrorCode::InvalidTag, message));
        if key.is_empty() || key.chars().count() > KEY_CHARACTERS_MAX || !is_spelled(key) {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > VALUE_CHARACTERS_MAX || !is_spelled(value) {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.starts_with("aws:") {
            return invalid("System tags cannot be added/updated by requester");
        }
        if !seen.insert(key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-managing.html>
fn is_spelled(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
    })
}
