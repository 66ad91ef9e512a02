//! Code that lies in S3: a package by bucket, key and version, where it could be sent as `ZipFile`.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use domain::limits;
use wire::{Context, Error};

use crate::Lambda;
use crate::error::invalid_parameter;
use crate::hot_reload::BUCKET;

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeObject {
    /// `S3Bucket`
    pub bucket: String,
    /// `S3Key`
    pub key: String,
    /// `S3ObjectVersion`
    pub version: Option<String>,
    /// Longer ones are refused unread.
    pub bytes_max: u64,
}

/// Why there is no code, as S3 says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeObjectError {
    /// `NoSuchKey`, …
    pub code: String,
    /// In S3's words.
    pub message: String,
}

type Answer = Pin<Box<dyn Future<Output = Result<Bytes, CodeObjectError>> + Send>>;

/// Reads an object for a caller, who must be allowed to read it.
pub type ReadObject = Box<dyn Fn(&Context, CodeObject) -> Answer + Send + Sync>;

/// Where a request says that its code is.
pub(crate) struct Source<'a> {
    pub(crate) zip: Option<Bytes>,
    pub(crate) bucket: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
}

impl Lambda {
    /// The package that a request sends or names; an empty one if it does neither, or names a folder.
    pub(crate) async fn package_of(&self, cx: &Context, source: Source<'_>) -> Result<Bytes, Error> {
        let zip = source.zip.unwrap_or_default();
        if source.bucket == Some(BUCKET) {
            return Ok(zip);
        }
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let (bucket, key) = (given(source.bucket), given(source.key));
        let version = given(source.version);
        let (bucket, key) = match (bucket, key) {
            (None, None) if version.is_none() => return Ok(zip),
            (Some(bucket), Some(key)) if zip.is_empty() => (bucket, key),
            _ if !zip.is_empty() => {
                return Err(invalid_parameter(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                ));
            }
            _ => {
                return Err(invalid_parameter(
                    "Code in S3 is named by S3Bucket and S3Key, both of them, and S3ObjectVersion if the bucket keeps \
                     versions.",
                ));
            }
        };
        let shown = format!("{bucket}/{key}");
        let object = CodeObject { bucket, key, version, bytes_max: limits::UNZIPPED_BYTES };
        let read = (self.read_object)(cx, object).await;
        read.map_err(|error| refused(error, &shown))
    }
}

fn refused(error: CodeObjectError, shown: &str) -> Error {
    let CodeObjectError { code, message } = error;
    match code.as_str() {
        "AccessDenied" => Error::new(
            "AccessDeniedException",
            format!(
                "Your access has been denied by S3, please make sure your request credentials have permission to \
                 GetObject for {shown}. S3 Error Code: {code}. S3 Error Message: {message}"
            ),
        )
        .with_status(403),
        "InternalError" | "SlowDown" => crate::error::service(message),
        // A package can be no longer than what it unpacks to.
        "EntityTooLarge" => {
            invalid_parameter(format!("Unzipped size must be smaller than {} bytes", limits::UNZIPPED_BYTES))
        }
        _ => invalid_parameter(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        )),
    }
}
