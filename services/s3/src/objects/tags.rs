//! Tags of objects: in a header, and by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3ErrorCode, S3Response};

use super::change;
use crate::call::Call;
use crate::error::{Refusal, custom, invalid_argument, refuse};
use crate::notify::Happened;
use crate::{S3, buckets};

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
const TAGS_MAX: usize = 10;
const KEY_CHARACTERS_MAX: usize = 128;
const VALUE_CHARACTERS_MAX: usize = 256;

/// The tags of `x-amz-tagging`, which is written as a query.
pub(crate) fn of_header(header: Option<&str>) -> Result<BTreeMap<String, String>, Refusal> {
    let malformed = || {
        invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name \
             duplicates.",
        )
        .with("ArgumentName", "x-amz-tagging")
    };
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| malformed())
    };
    let mut tags = BTreeMap::new();
    for pair in header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if tags.insert(decoded(key)?, decoded(value)?).is_some() {
            return Err(malformed());
        }
    }
    check(&tags)?;
    Ok(tags)
}

/// The tags of a document.
pub(crate) fn of_set(set: &[Tag]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    for tag in set {
        let (key, value) = (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default());
        if tags.insert(key, value).is_some() {
            return Err(refuse(S3ErrorCode::InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    check(&tags)?;
    Ok(tags)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > TAGS_MAX {
        return Err(custom(
            "BadRequest",
            http::StatusCode::BAD_REQUEST,
            "Object tags cannot be greater than 10",
        ));
    }
    let legal =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c));
    for (key, value) in tags {
        let characters = key.chars().count();
        if characters == 0 || characters > KEY_CHARACTERS_MAX || !legal(key) {
            return Err(refuse(S3ErrorCode::InvalidTag, "The TagKey you have provided is invalid")
                .with("TagKey", key));
        }
        if key.starts_with("aws:") {
            return Err(refuse(S3ErrorCode::InvalidTag, "Your TagKey cannot be prefixed with aws:")
                .with("TagKey", key));
        }
        if value.chars().count() > VALUE_CHARACTERS_MAX || !legal(value) {
            return Err(refuse(S3ErrorCode::InvalidTag, "The TagValue you have provided is invalid")
                .with("TagKey", key));
        }
    }
    Ok(())
}

/// As a document.
pub(crate) fn set(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

pub(crate) async fn tagging(
    s3: &S3,
    call: &Call,
    input: GetObjectTaggingInput,
) -> Result<S3Response<GetObjectTaggingOutput>, Refusal> {
    let (bucket, _, version) = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        super::existing(snapshot, bucket, &input.key, input.version_id.as_deref())
    })?;
    let tags = version.object.map(|object| object.tags).unwrap_or_default();
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: set(&tags),
        version_id: bucket.versioning.map(|_| version.id),
    }))
}

pub(crate) async fn put_tagging(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectTaggingInput,
) -> Result<S3Response<PutObjectTaggingOutput>, Refusal> {
    let tags = of_set(&input.tagging.tag_set)?;
    let at = At {
        bucket: input.bucket,
        key: input.key,
        version: input.version_id,
        owner: input.expected_bucket_owner,
    };
    let version_id = replace(s3, call, at, tags, Happened::TagsPut).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(crate) async fn delete_tagging(
    s3: &S3,
    call: &Arc<Call>,
    input: DeleteObjectTaggingInput,
) -> Result<S3Response<DeleteObjectTaggingOutput>, Refusal> {
    let at = At {
        bucket: input.bucket,
        key: input.key,
        version: input.version_id,
        owner: input.expected_bucket_owner,
    };
    let version_id = replace(s3, call, at, BTreeMap::new(), Happened::TagsDeleted).await?;
    let output = DeleteObjectTaggingOutput { version_id };
    Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
}

/// Which version of which object.
struct At {
    bucket: String,
    key: String,
    version: Option<String>,
    owner: Option<String>,
}

async fn replace(
    s3: &S3,
    call: &Arc<Call>,
    at: At,
    tags: BTreeMap<String, String>,
    happened: Happened,
) -> Result<Option<String>, Refusal> {
    let (state, call) = (s3.clone(), Arc::clone(call));
    s3.write(move |tx| {
        let bucket = buckets::find(tx, &at.bucket)?;
        call.expects(at.owner.as_ref(), &bucket)?;
        let (bucket, rank, mut version) = super::existing(tx, bucket, &at.key, at.version.as_deref())?;
        if let Some(object) = &mut version.object {
            object.tags = tags;
        }
        change::amend(&state, tx, &call, &bucket, &at.key, rank, &version, Some(happened))?;
        Ok(bucket.versioning.map(|_| version.id))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_query() {
        let tags = of_header(Some("a=1&b+c=%C3%BC&d")).unwrap();
        let expected = [("a", "1"), ("b c", "ü"), ("d", "")];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert!(of_header(None).unwrap().is_empty());
    }

    #[test]
    fn tags_have_limits() {
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        for header in
            ["a=1&a=2", &many.join("&"), "aws:x=1", &format!("{}=1", "k".repeat(129)), "a=%3C", "=1", "a=%FF"]
        {
            assert!(of_header(Some(header)).is_err(), "{header}");
        }
    }
}
