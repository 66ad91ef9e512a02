//! What Hearth's other services read and write here: code of functions, and records of what failed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::Region;
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode};
use wire::Context;

use crate::call::Call;
use crate::checksums::Claim;
use crate::error::{self, Refusal};
use crate::notify::{Happened, TRACE_HEADER};
use crate::objects::{change, encryption, existing};
use crate::record::{Described, Object};
use crate::{S3, access, buckets, content};

/// Why an object cannot be had or written, as S3 would answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError {
    /// `NoSuchKey`, …
    pub code: String,
    /// In S3's words.
    pub message: String,
    /// Whether another attempt may succeed.
    pub temporary: bool,
}

impl From<Refusal> for ObjectError {
    fn from(refusal: Refusal) -> Self {
        let temporary = refusal.is_ours();
        let error = S3Error::from(refusal);
        Self {
            code: error.code().as_str().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
            temporary,
        }
    }
}

impl S3 {
    /// A whole object of at most so many bytes, from a bucket of the caller's region, for a caller of another service
    /// who must be allowed to read it.
    ///
    /// # Errors
    /// What S3 would answer; `PermanentRedirect` for a bucket of another region.
    pub async fn read_object(
        &self,
        cx: &Context,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        bytes_max: u64,
    ) -> Result<Bytes, ObjectError> {
        let region = &cx.scope.region;
        let call = Call::on_behalf_of(cx);
        let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        access::admit_object(self, &call, action, (bucket, key, version))?;
        let find = || {
            self.read(|snapshot| {
                let bucket = buckets::find(snapshot, bucket)?;
                check_region(&bucket.region, region)?;
                let (_, _, version) = existing(snapshot, bucket, key, version)?;
                let object = version.object.ok_or_else(error::internal)?;
                if object.size > bytes_max {
                    return Err(error::entity_too_large());
                }
                encryption::check_reader(&object, None)?;
                Ok(object)
            })
        };
        let (object, lease) = content::leased(self, find, |object| &object.segments)
            .map_err(|refusal| access::hide_in(self, &call, bucket, refusal))?;
        let range = 0..object.size;
        let mut body =
            self.read(|snapshot| content::send(snapshot, &self.files, &object.segments, range, lease))?;
        let mut whole = BytesMut::with_capacity(usize::try_from(object.size).unwrap_or(0));
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece.map_err(|_| error::internal())?);
        }
        Ok(whole.freeze())
    }

    /// Writes a small object for the owner of a bucket, told to whoever hears of the bucket's changes.
    ///
    /// # Errors
    /// What S3 would answer.
    pub async fn write_object(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        bytes: Bytes,
        trace_header: Option<&str>,
    ) -> Result<(), ObjectError> {
        let found = self.read(|snapshot| buckets::find(snapshot, bucket))?;
        let mut headers = HeaderMap::new();
        if let Some(trace) = trace_header.and_then(|trace| trace.parse().ok()) {
            headers.insert(TRACE_HEADER, trace);
        }
        let call = Call::of_service(&found.owner, &found.region, &self.base_url, headers);
        let claim = Claim::none(None);
        let body = s3s::dto::StreamingBlob::from(s3s::Body::from(bytes));
        let limit = crate::limits::PUT_BYTES_MAX;
        let received = content::receive(&self.files, Some(body), claim.algorithm.hasher(), limit).await?;
        let object = Object {
            size: received.size,
            etag: received.etag(),
            checksum: Some(claim.proven(&received.checksum, |_| None)?),
            described: Described { content_type: Some(content_type.to_owned()), ..Described::default() },
            ..Object::default()
        };
        let (state, call, staged) = (self.clone(), Arc::new(call), received.staged);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.write(move |tx| {
            let bucket = buckets::find(tx, &bucket)?;
            let object = Object { segments: staged.keep(tx)?, ..object };
            change::write(&state, tx, &call, &bucket, &key, object, Happened::CreatedByPut).map(|_| ())
        })
        .await?;
        Ok(())
    }
}

fn check_region(of_bucket: &Region, asked: &Region) -> Result<(), Refusal> {
    if of_bucket == asked {
        return Ok(());
    }
    Err(error::refuse(
        S3ErrorCode::PermanentRedirect,
        format!(
            "The bucket is in this region: {}. Please use this region to retry the request",
            of_bucket.as_str()
        ),
    ))
}
