//! S3's numbers, with their sources.

/// A key, in bytes of UTF-8.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub(crate) const KEY_BYTES_MAX: usize = 1024;
/// What one PUT or one part may hold: 5 GiB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const PUT_BYTES_MAX: u64 = 5 << 30;
/// Names and values of `x-amz-meta-*` together.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
pub(crate) const METADATA_BYTES_MAX: usize = 2048;
/// Parts of an upload. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const PARTS_MAX: i32 = 10_000;
/// Every part but the last has so many bytes: 5 MiB.
pub(crate) const PART_BYTES_MIN: u64 = 5 << 20;
/// An object uploaded in parts: 5 TiB. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const OBJECT_BYTES_MAX: u64 = 5 << 40;
