//! ListObjectVersions.

use s3s::S3Response;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, DeleteMarkerEntry, ETag, ListObjectVersionsInput,
    ListObjectVersionsOutput, ObjectVersion, ObjectVersionStorageClass,
};

use super::objects::owner;
use super::walk::{After, Item, Wanted, walk};
use super::{Spelling, count};
use crate::call::Call;
use crate::error::{Refusal, invalid_argument};
use crate::objects::{stamp, version};
use crate::{S3, buckets};

pub(crate) async fn list(
    s3: &S3,
    call: &Call,
    input: ListObjectVersionsInput,
) -> Result<S3Response<ListObjectVersionsOutput>, Refusal> {
    let spelling = Spelling::of(input.encoding_type.as_ref())?;
    let count = count(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let key_marker = input.key_marker.as_deref().filter(|marker| !marker.is_empty());
    let version_marker = input.version_id_marker.as_deref().filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_none() {
        return Err(invalid_argument("A version-id marker cannot be specified without a key marker."));
    }
    let page = s3.read(|snapshot| {
        let bucket = buckets::find(snapshot, &input.bucket)?;
        call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
        let after = match (key_marker, version_marker) {
            (None, _) => After::Start,
            (Some(key), None) => After::marker(key, &prefix, delimiter),
            // A version that has gone meanwhile still says where it stood; the null version does not.
            (Some(key), Some(id)) => {
                match (crate::version_id::rank(id), version(snapshot, &bucket.name, key, id)?) {
                    (Some(rank), _) | (None, Some((rank, _))) => After::Version(key.to_owned(), rank),
                    (None, None) => After::Key(key.to_owned()),
                }
            }
        };
        walk(
            snapshot,
            &Wanted {
                bucket: &input.bucket,
                prefix: &prefix,
                delimiter,
                after,
                count: usize::try_from(count).unwrap_or(0),
                versions: true,
            },
        )
    })?;
    let (next_key, next_version) = match page.items.last().filter(|_| page.truncated) {
        Some(Item::Version { key, version, .. }) => (Some(spelling.write(key)), Some(version.id.clone())),
        Some(Item::Prefix(prefix)) => (Some(spelling.write(prefix)), None),
        None => (None, None),
    };
    let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for item in page.items {
        match item {
            Item::Prefix(prefix) => prefixes.push(prefix),
            Item::Version { key, version, latest } => {
                let (key, is_latest) = (Some(spelling.write(&key)), Some(latest));
                let (last_modified, owner) = (Some(stamp(version.modified)), Some(owner(&version.owner)));
                let version_id = Some(version.id);
                let Some(object) = version.object else {
                    markers.push(DeleteMarkerEntry { is_latest, key, last_modified, owner, version_id });
                    continue;
                };
                let class = object.described.storage_class.unwrap_or_else(|| "STANDARD".into());
                let checksum = object.checksum;
                versions.push(ObjectVersion {
                    checksum_algorithm: checksum
                        .as_ref()
                        .map(|checksum| vec![ChecksumAlgorithm::from(checksum.algorithm.clone())]),
                    checksum_type: checksum.map(|checksum| ChecksumType::from(checksum.kind)),
                    e_tag: Some(ETag::Strong(object.etag)),
                    is_latest,
                    key,
                    last_modified,
                    owner,
                    size: i64::try_from(object.size).ok(),
                    storage_class: Some(ObjectVersionStorageClass::from(class)),
                    version_id,
                    ..Default::default()
                });
            }
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: spelling.prefixes(prefixes),
        delete_markers: Some(markers).filter(|markers| !markers.is_empty()),
        versions: Some(versions).filter(|versions| !versions.is_empty()),
        delimiter: input.delimiter.map(|delimiter| spelling.write(&delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        key_marker: Some(spelling.write(&input.key_marker.unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        max_keys: Some(count),
        name: Some(input.bucket),
        next_key_marker: next_key,
        next_version_id_marker: next_version,
        prefix: Some(spelling.write(&prefix)),
        ..Default::default()
    }))
}
