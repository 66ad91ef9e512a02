//! CopyObject.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use s3s::S3Response;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, ETagCondition,
    ServerSideEncryption,
};

use super::preconditions::{At, Conditions, check_write};
use super::source::{self, Source};
use super::{acl, change, check_key, describe, encryption, lock, stamp, tags};
use crate::call::Call;
use crate::checksums::{self, Algorithm, Claim};
use crate::error::{Refusal, invalid_argument, invalid_request};
use crate::limits::PUT_BYTES_MAX;
use crate::notify::Happened;
use crate::record::{Described, Object};
use crate::{S3, buckets, content};

/// Copies an object. Its bytes get a second owner; they are read only for a checksum that the source does not have.
pub(crate) async fn copy(
    s3: &S3,
    call: &Arc<Call>,
    input: CopyObjectInput,
) -> Result<S3Response<CopyObjectOutput>, Refusal> {
    let bucket = s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    call.expects(input.expected_bucket_owner.as_ref(), &bucket)?;
    check_key(&input.key)?;
    let headers = &call.context.headers;
    let asked = describe::of(headers)?;
    s3.read(|snapshot| {
        acl::of_write(snapshot, &bucket, call)?;
        lock::of_write(headers, snapshot, &bucket, s3.now())
    })?;
    // Those of what the copy replaces, which `s3s` does not read.
    let of_write = [condition(headers, IF_MATCH)?, condition(headers, IF_NONE_MATCH)?];
    let new_tags = tags::of_header(input.tagging.as_deref())?;
    let replaces_metadata = directive(input.metadata_directive.as_ref().map(|one| one.as_str()), "metadata")?;
    let replaces_tags = directive(input.tagging_directive.as_ref().map(|one| one.as_str()), "tagging")?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match.as_ref(),
        if_none_match: input.copy_source_if_none_match.as_ref(),
        if_modified_since: input.copy_source_if_modified_since.as_ref(),
        if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
    };
    let shown = input.copy_source_sse_customer_key_md5.as_deref();
    let owner = input.expected_source_bucket_owner.as_ref();
    let source = source::open(s3, call, &input.copy_source, owner, shown, &conditions)?;
    check_itself(&input, replaces_metadata, &source)?;
    if source.object.size > PUT_BYTES_MAX {
        return Err(invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    let algorithm =
        input.checksum_algorithm.as_ref().map(|name| Algorithm::asked(name.as_str())).transpose()?;
    let (staged, etag, checksum, parts) = contents(s3, &source, algorithm).await?;
    let described = if replaces_metadata { asked } else { inherited(source.object.described.clone(), asked) };
    let object = Object {
        size: source.object.size,
        etag: etag.clone(),
        checksum: checksum.clone(),
        parts,
        described,
        tags: if replaces_tags { new_tags } else { source.object.tags.clone() },
        ..Object::default()
    };
    let (state, call) = (s3.clone(), Arc::clone(call));
    let (versioned, version) = s3
        .write(move |tx| {
            let bucket = buckets::find(tx, &input.bucket)?;
            let at = At { bucket: &input.bucket, key: &input.key, version: None };
            let [if_match, if_none_match] = &of_write;
            check_write(tx, at, if_match.as_ref(), if_none_match.as_ref())?;
            let lock = lock::of_write(&call.context.headers, tx, &bucket, state.now())?;
            let acl = acl::of_write(tx, &bucket, &call)?;
            let encryption = encryption::defaulted(tx, &bucket, object.described.encryption)?;
            let described = Described { encryption, ..object.described };
            let object = Object { segments: staged.keep(tx)?, described, acl, lock, ..object };
            let version =
                change::write(&state, tx, &call, &bucket, &input.key, object, Happened::CreatedByCopy)?;
            Ok((bucket.versioning.is_some(), version))
        })
        .await?;
    let encryption = version.object.map(|object| object.described.encryption).unwrap_or_default();
    let told = checksums::told(checksum.as_ref());
    Ok(S3Response::new(CopyObjectOutput {
        bucket_key_enabled: encryption.bucket_key,
        copy_object_result: Some(CopyObjectResult {
            checksum_crc32: told.checksum_crc32,
            checksum_crc32c: told.checksum_crc32c,
            checksum_crc64nvme: told.checksum_crc64nvme,
            checksum_sha1: told.checksum_sha1,
            checksum_sha256: told.checksum_sha256,
            checksum_type: told.checksum_type,
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some(stamp(version.modified)),
        }),
        copy_source_version_id: source.bucket.versioning.map(|_| source.version.id.clone()),
        server_side_encryption: encryption.told().map(ServerSideEncryption::from),
        ssekms_key_id: encryption.kms_key,
        sse_customer_algorithm: encryption.customer_key_md5.is_some().then(|| "AES256".to_owned()),
        sse_customer_key_md5: encryption.customer_key_md5,
        version_id: versioned.then_some(version.id),
        ..Default::default()
    }))
}

fn condition(headers: &HeaderMap, name: HeaderName) -> Result<Option<ETagCondition>, Refusal> {
    let Some(sent) = headers.get(&name) else { return Ok(None) };
    let read = ETagCondition::parse_http_header(sent.as_bytes());
    read.map(Some).map_err(|_| invalid_argument("An ETag is malformed.").with("ArgumentName", name.as_str()))
}

/// Whether something is replaced and not copied.
fn directive(directive: Option<&str>, what: &str) -> Result<bool, Refusal> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(invalid_argument(format!("Unknown {what} directive."))),
    }
}

/// What a copy has of its source, and what it is given of its own in either case.
fn inherited(source: Described, asked: Described) -> Described {
    Described {
        // Neither is the source's: they are of the place, not of the content.
        storage_class: asked.storage_class,
        encryption: asked.encryption,
        website_redirect_location: asked.website_redirect_location,
        ..source
    }
}

/// A copy onto itself must change something.
fn check_itself(input: &CopyObjectInput, replaces_metadata: bool, source: &Source) -> Result<(), Refusal> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else { return Ok(()) };
    let itself = **bucket == *input.bucket && **key == *input.key && version_id.is_none();
    let changes = replaces_metadata
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
        || input.sse_customer_key_md5.is_some()
        || source.object.described.encryption.customer_key_md5.is_some();
    if itself && !changes {
        return Err(invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
             metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(())
}

type Contents = (content::Staged, String, Option<crate::record::Checksum>, Vec<crate::record::PartOf>);

/// The bytes of a copy, its ETag and its checksum. A copy of parts is one whole: its bytes are read for the ETag.
async fn contents(s3: &S3, source: &Source, algorithm: Option<Algorithm>) -> Result<Contents, Refusal> {
    let object = &source.object;
    let known = match (algorithm, &object.checksum) {
        (None, _) => true,
        (Some(algorithm), Some(checksum)) => checksum.algorithm == algorithm.name(),
        (Some(_), None) => false,
    };
    if known && object.parts.is_empty() {
        let staged = content::share(s3, &object.segments).await?;
        return Ok((staged, object.etag.clone(), object.checksum.clone(), Vec::new()));
    }
    let kept = object.checksum.as_ref().and_then(|checksum| Algorithm::named(&checksum.algorithm));
    let claim = Claim::none(algorithm.or(kept));
    let lease = s3.files.lease(&object.segments);
    let body =
        s3.read(|snapshot| content::send(snapshot, &s3.files, &object.segments, 0..object.size, lease))?;
    let received = content::receive(&s3.files, Some(body), claim.algorithm.hasher(), PUT_BYTES_MAX).await?;
    let checksum = claim.proven(&received.checksum, |_| None)?;
    let etag = received.etag();
    Ok((received.staged, etag, Some(checksum), Vec::new()))
}
