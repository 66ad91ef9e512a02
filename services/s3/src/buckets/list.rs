//! ListBuckets.

use s3s::S3Response;
use s3s::dto::{Bucket as Listed, ListBucketsInput, ListBucketsOutput, Owner};
use store::Scan;

use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, invalid_argument};
use crate::objects::stamp;
use crate::record::BUCKETS;

/// What one page may have. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
const PAGE_MAX: i32 = 10_000;

/// The caller's buckets, in the order of their names.
pub(crate) async fn list(
    s3: &S3,
    call: &Call,
    input: ListBucketsInput,
) -> Result<S3Response<ListBucketsOutput>, Refusal> {
    let count = match input.max_buckets {
        None => PAGE_MAX,
        Some(count) if (1..=PAGE_MAX).contains(&count) => count,
        Some(_) => {
            return Err(invalid_argument("Argument max-buckets must be an integer between 1 and 10000"));
        }
    };
    let after = input.continuation_token.as_deref().map(|token| {
        wire::pages::read_token(token)
            .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
    });
    let after = after.transpose()?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let owned = s3.read(|snapshot| Ok(snapshot.scan(&BUCKETS, &Scan::all().starting_with(&prefix))?))?;
    let owned = owned.into_iter().filter(|(_, bucket)| {
        bucket.owner == *call.account()
            && input.bucket_region.as_ref().is_none_or(|region| region == bucket.region.as_str())
    });
    let (page, next) =
        wire::pages::page(owned, after.as_deref(), usize::try_from(count).unwrap_or(usize::MAX));
    let buckets = page.into_iter().map(|bucket| Listed {
        bucket_region: Some(bucket.region.as_str().to_owned()),
        creation_date: Some(stamp(bucket.created)),
        name: Some(bucket.name),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token: next,
        owner: Some(Owner { id: Some(super::canonical_id(call.account())), ..Default::default() }),
        prefix: input.prefix,
    }))
}
