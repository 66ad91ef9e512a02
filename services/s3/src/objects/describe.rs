//! What a client says of an object when it writes it, read from the headers that PutObject, CopyObject and
//! CreateMultipartUpload share, and told again when it is read.

use std::collections::BTreeMap;

use http::HeaderMap;
use s3s::S3ErrorCode;
use s3s::dto::{GetObjectOutput, ServerSideEncryption, StorageClass, Timestamp, TimestampFormat};

use super::encryption;
use crate::error::{Refusal, custom, not_implemented, refuse};
use crate::limits::METADATA_BYTES_MAX;
use crate::record::Described;

const METADATA: &str = "x-amz-meta-";
/// What S3 says of an object of which nothing was said.
const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";
/// Classes whose objects can be read at any time. Hearth has one kind of disk: the class is told again, and no more.
const CLASSES: &[&str] =
    &["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
/// Classes whose objects must be restored before they can be read.
const ARCHIVES: &[&str] = &["GLACIER", "DEEP_ARCHIVE"];

/// What the headers of a write say.
pub(crate) fn of(headers: &HeaderMap) -> Result<Described, Refusal> {
    let text =
        |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut metadata = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(METADATA) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes());
        // Several headers of one name are one value.
        let joined = metadata.get(name).map(|before| format!("{before},{value}"));
        metadata.insert(name.to_owned(), joined.unwrap_or_else(|| value.into_owned()));
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        return Err(refuse(
            S3ErrorCode::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", &bytes.to_string())
        .with("MaxSizeAllowed", &METADATA_BYTES_MAX.to_string()));
    }
    Ok(Described {
        content_type: text("content-type"),
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: text("content-encoding"),
        content_language: text("content-language"),
        expires: text("expires"),
        website_redirect_location: website_redirect(text("x-amz-website-redirect-location"))?,
        metadata,
        storage_class: storage_class(text("x-amz-storage-class"))?,
        encryption: encryption::asked(headers)?,
    })
}

fn storage_class(asked: Option<String>) -> Result<Option<String>, Refusal> {
    match asked {
        None => Ok(None),
        Some(class) if CLASSES.contains(&class.as_str()) => {
            Ok(Some(class).filter(|class| class != "STANDARD"))
        }
        Some(class) if ARCHIVES.contains(&class.as_str()) => Err(not_implemented(&format!(
            "the storage class {class}, whose objects must be restored before they can be read"
        ))),
        Some(_) => {
            Err(refuse(S3ErrorCode::InvalidStorageClass, "The storage class you specified is not valid"))
        }
    }
}

fn website_redirect(asked: Option<String>) -> Result<Option<String>, Refusal> {
    match asked {
        Some(to) if !to.starts_with('/') && !to.starts_with("http://") && !to.starts_with("https://") => {
            Err(custom(
                "InvalidRedirectLocation",
                http::StatusCode::BAD_REQUEST,
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            ))
        }
        asked => Ok(asked),
    }
}

/// What a GET or a HEAD tells again.
pub(crate) fn tell(described: Described, output: &mut GetObjectOutput) {
    output.content_type = described.content_type.or_else(|| Some(CONTENT_TYPE_DEFAULT.to_owned()));
    output.cache_control = described.cache_control;
    output.content_disposition = described.content_disposition;
    output.content_encoding = described.content_encoding;
    output.content_language = described.content_language;
    output.expires =
        described.expires.and_then(|expires| Timestamp::parse(TimestampFormat::HttpDate, &expires).ok());
    output.website_redirect_location = described.website_redirect_location;
    output.metadata = Some(described.metadata.into_iter().collect());
    output.storage_class = described.storage_class.map(StorageClass::from);
    let encryption = described.encryption;
    output.server_side_encryption = encryption.told().map(ServerSideEncryption::from);
    output.ssekms_key_id = encryption.kms_key;
    output.bucket_key_enabled = encryption.bucket_key;
    output.sse_customer_algorithm = encryption.customer_key_md5.is_some().then(|| "AES256".to_owned());
    output.sse_customer_key_md5 = encryption.customer_key_md5;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(headers: &[(&'static str, &'static str)]) -> Result<Described, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        of(&map)
    }

    #[test]
    fn headers_are_kept_as_they_were_sent() {
        let seen = described(&[
            ("content-type", "text/x"),
            ("expires", "never"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("x-amz-storage-class", "STANDARD_IA"),
        ])
        .unwrap();
        assert_eq!(seen.content_type.as_deref(), Some("text/x"));
        assert_eq!(seen.expires.as_deref(), Some("never"));
        assert_eq!(seen.metadata["a"], "1,2");
        assert_eq!(seen.storage_class.as_deref(), Some("STANDARD_IA"));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for headers in [
            [("x-amz-storage-class", "GLACIER")],
            [("x-amz-storage-class", "WARM")],
            [("x-amz-website-redirect-location", "ftp://x")],
            [("x-amz-server-side-encryption", "rot13")],
        ] {
            assert!(described(&headers).is_err(), "{headers:?}");
        }
    }
}
