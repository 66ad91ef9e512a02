//! ListObjectsV2, and ListObjects as it was before.

use s3s::S3Response;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, ETag, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};

use super::walk::{After, Item, Page, Wanted, walk};
use super::{Spelling, count};
use crate::call::Call;
use crate::error::{Refusal, invalid_argument};
use crate::objects::stamp;
use crate::record::Version;
use crate::{S3, buckets};

pub(crate) async fn list_v2(
    s3: &S3,
    call: &Call,
    input: ListObjectsV2Input,
) -> Result<S3Response<ListObjectsV2Output>, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let count = count(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref();
    let after = match (input.continuation_token.as_deref(), input.start_after.as_deref()) {
        (Some(token), _) => of_token(token)?,
        (None, Some(start)) if !start.is_empty() => After::marker(start, &prefix, delimiter),
        _ => After::Start,
    };
    let page = page(
        s3,
        call,
        input.expected_bucket_owner.as_ref(),
        &Asked { bucket: &input.bucket, prefix: &prefix, delimiter, after, count },
    )?;
    let owners = input.fetch_owner == Some(true);
    let next = page.truncated.then(|| page.items.last().map(to_token)).flatten();
    let truncated = page.truncated;
    let (contents, prefixes) = split(page, spelling, owners);
    Ok(S3Response::new(ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        contents: Some(contents).filter(|contents| !contents.is_empty()),
        common_prefixes: spelling.prefixes(prefixes),
        is_truncated: Some(truncated),
        next_continuation_token: next,
        continuation_token: input.continuation_token,
        max_keys: Some(count),
        delimiter: input.delimiter.map(|delimiter| spelling.write(&delimiter)),
        prefix: Some(spelling.write(&prefix)),
        start_after: input.start_after.map(|start| spelling.write(&start)),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        ..Default::default()
    }))
}

pub(crate) async fn list(
    s3: &S3,
    call: &Call,
    input: ListObjectsInput,
) -> Result<S3Response<ListObjectsOutput>, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let count = count(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let after = match input.marker.as_deref() {
        Some(marker) if !marker.is_empty() => After::marker(marker, &prefix, delimiter),
        _ => After::Start,
    };
    let page = page(
        s3,
        call,
        input.expected_bucket_owner.as_ref(),
        &Asked { bucket: &input.bucket, prefix: &prefix, delimiter, after, count },
    )?;
    // Without a delimiter the last key is the marker, and S3 does not say it again.
    let next = page.items.last().filter(|_| page.truncated && delimiter.is_some()).map(|item| match item {
        Item::Version { key, .. } | Item::Prefix(key) => spelling.write(key),
    });
    let truncated = page.truncated;
    let (contents, prefixes) = split(page, spelling, true);
    Ok(S3Response::new(ListObjectsOutput {
        contents: Some(contents).filter(|contents| !contents.is_empty()),
        common_prefixes: spelling.prefixes(prefixes),
        is_truncated: Some(truncated),
        next_marker: next,
        marker: Some(spelling.write(&input.marker.unwrap_or_default())),
        max_keys: Some(count),
        delimiter: input.delimiter.map(|delimiter| spelling.write(&delimiter)),
        prefix: Some(spelling.write(&prefix)),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        ..Default::default()
    }))
}

/// What both ask.
struct Asked<'a> {
    bucket: &'a str,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: After,
    count: i32,
}

fn page(s3: &S3, call: &Call, owner: Option<&String>, asked: &Asked<'_>) -> Result<Page, Refusal> {
    s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, asked.bucket)?;
        call.expects(owner, &bucket)?;
        walk(
            snapshot,
            &Wanted {
                bucket: asked.bucket,
                prefix: asked.prefix,
                delimiter: asked.delimiter,
                after: asked.after.clone(),
                count: usize::try_from(asked.count).unwrap_or(0),
                versions: false,
            },
        )
    })
}

fn split(page: Page, spelling: Spelling, owners: bool) -> (Vec<Object>, Vec<String>) {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for item in page.items {
        match item {
            Item::Prefix(prefix) => prefixes.push(prefix),
            Item::Version { key, version, .. } => contents.extend(content(&key, *version, spelling, owners)),
        }
    }
    (contents, prefixes)
}

fn content(key: &str, version: Version, spelling: Spelling, owners: bool) -> Option<Object> {
    let object = version.object?;
    let class = object.described.storage_class.unwrap_or_else(|| "STANDARD".into());
    let checksum = object.checksum.as_ref();
    Some(Object {
        checksum_algorithm: checksum
            .map(|checksum| vec![ChecksumAlgorithm::from(checksum.algorithm.clone())]),
        checksum_type: checksum.map(|checksum| ChecksumType::from(checksum.kind.clone())),
        e_tag: Some(ETag::Strong(object.etag)),
        key: Some(spelling.write(key)),
        last_modified: Some(stamp(version.modified)),
        owner: owners.then(|| owner(&version.owner)),
        size: i64::try_from(object.size).ok(),
        storage_class: Some(ObjectStorageClass::from(class)),
        ..Default::default()
    })
}

pub(crate) fn owner(account: &domain::Account) -> Owner {
    Owner { id: Some(buckets::canonical_id(account)), ..Default::default() }
}

/// A token says where a page ended, and whether a prefix was folded there.
fn to_token(last: &Item) -> String {
    wire::pages::token(&match last {
        Item::Version { key, .. } => format!("k{key}"),
        Item::Prefix(prefix) => format!("p{prefix}"),
    })
}

fn of_token(token: &str) -> Result<After, Refusal> {
    let incorrect = || invalid_argument("The continuation token provided is incorrect");
    let last = wire::pages::read_token(token).ok_or_else(incorrect)?;
    match last.split_at_checked(1).ok_or_else(incorrect)? {
        ("k", key) => Ok(After::Key(key.to_owned())),
        ("p", prefix) => Ok(After::Prefix(prefix.to_owned())),
        _ => Err(incorrect()),
    }
}
