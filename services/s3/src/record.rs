//! How buckets, objects and uploads are stored.
//!
//! All of it is in one domain, so that a change of an object, the notification it causes and the removal of what it
//! replaces are one transaction. Bytes longer than a row should be are files ([`crate::content`]); a record that names
//! a file is committed after the file is on the disk.

use std::collections::BTreeMap;

use domain::{Account, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Raw, Table};
use uuid::Uuid;

/// Buckets by name, which is unique across accounts and regions, as at AWS.
pub(crate) static BUCKETS: Table<String, Bucket> = Table::of(Domain::Objects, "s3.buckets");
/// A bucket's configurations, by the bucket and the sub-resource's name: `cors`, `lifecycle`, … The value is the
/// document as S3 writes it.
pub(crate) static CONFIGURATIONS: Table<(String, String), String> =
    Table::of(Domain::Objects, "s3.configurations");
/// Versions of objects by bucket, key and [`rank`]: the first of a key is the current one.
pub(crate) static VERSIONS: Table<(String, String, u64), Version> = Table::of(Domain::Objects, "s3.versions");
/// The bytes of small objects and parts.
pub(crate) static ROWS: Table<Uuid, Raw> = Table::of(Domain::Objects, "s3.rows");
/// Multipart uploads by bucket, key and id.
pub(crate) static UPLOADS: Table<(String, String, String), Upload> = Table::of(Domain::Objects, "s3.uploads");
/// Parts of uploads by the upload's id and the part's number.
pub(crate) static PARTS: Table<(String, u64), Part> = Table::of(Domain::Objects, "s3.parts");
/// The number of the last change of an object, under the empty name.
pub(crate) static SEQUENCE: Table<String, u64> = Table::of(Domain::Objects, "s3.sequence");

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) owner: Account,
    pub(crate) region: Region,
    pub(crate) created: Timestamp,
    /// Never enabled: every version is the null version.
    pub(crate) versioning: Option<Versioning>,
    /// Enabled when the bucket was made, and for good.
    pub(crate) object_lock: bool,
}

/// Whether new objects are new versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Enabled,
    Suspended,
}

/// Where a version stands among those of its key: later changes come first.
pub(crate) fn rank(sequence: u64) -> u64 {
    u64::MAX - sequence
}

/// One version of an object, or the marker of its deletion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    /// `null`, or 32 characters: see [`crate::version_id`].
    pub(crate) id: String,
    pub(crate) modified: Timestamp,
    /// Who wrote it.
    pub(crate) owner: Account,
    /// Nothing for a delete marker.
    pub(crate) object: Option<Object>,
}

/// What an object is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) segments: Vec<Segment>,
    pub(crate) size: u64,
    /// Without the quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
    /// The parts of a multipart upload, in order; empty for an object written whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PartOf>,
    /// The multipart upload that it was: completing that again answers the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload: Option<String>,
    pub(crate) described: Described,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// An access control list other than the owner's, as S3 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acl: Option<String>,
    #[serde(default)]
    pub(crate) lock: Lock,
}

/// What a client says of an object when it writes it, and hears again when it reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Described {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    /// As it was sent.
    pub(crate) expires: Option<String>,
    pub(crate) website_redirect_location: Option<String>,
    /// `x-amz-meta-*`, without the prefix.
    pub(crate) metadata: BTreeMap<String, String>,
    /// `STANDARD` if nothing else was asked for.
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Encryption,
}

/// How the client asked for the bytes to be encrypted. Kept and told again; Hearth leaves encryption to the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Encryption {
    /// `AES256` if nothing else was asked for, `aws:kms`, `aws:kms:dsse`.
    pub(crate) algorithm: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    /// The MD5 of a key that the client keeps: whoever reads must have the same.
    pub(crate) customer_key_md5: Option<String>,
}

/// What keeps a version from being deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lock {
    /// `GOVERNANCE` or `COMPLIANCE`, and until when.
    pub(crate) retention: Option<(String, Timestamp)>,
    /// Nothing if nobody ever said.
    pub(crate) legal_hold: Option<bool>,
}

/// A run of an object's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) place: Place,
    pub(crate) size: u64,
}

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Place {
    /// In [`ROWS`].
    Row(Uuid),
    /// In a file.
    File(Uuid),
}

/// A checksum that S3 keeps beside an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    /// `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`.
    pub(crate) algorithm: String,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) kind: String,
    /// Base64; a composite one ends in `-<parts>`.
    pub(crate) value: String,
}

/// A part of an object that was uploaded in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartOf {
    pub(crate) number: u64,
    pub(crate) size: u64,
    /// Base64, by the object's algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<String>,
}

/// A multipart upload that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) initiated: Timestamp,
    pub(crate) owner: Account,
    /// The ARN of who began it.
    pub(crate) initiator: String,
    pub(crate) described: Described,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) acl: Option<String>,
    pub(crate) lock: Lock,
    /// `CRC64NVME` if none was asked for.
    pub(crate) checksum_algorithm: String,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) checksum_kind: String,
    /// Whether the client asked for the algorithm.
    pub(crate) checksum_asked: bool,
    /// Whether an object of its key was deleted since.
    #[serde(default)]
    pub(crate) deleted: bool,
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// One for an uploaded part; as many as the source's for a copied one.
    pub(crate) segments: Vec<Segment>,
    pub(crate) size: u64,
    /// The MD5 in hexadecimal.
    pub(crate) etag: String,
    /// By the upload's algorithm.
    pub(crate) checksum: Checksum,
    pub(crate) modified: Timestamp,
}
