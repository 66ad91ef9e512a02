//! What a bucket is configured with, kept as the documents that S3 writes.

pub(crate) mod absent;
pub(crate) mod acl;
pub(crate) mod cors;
pub(crate) mod encryption;
pub(crate) mod logging;
pub(crate) mod object_lock;
pub(crate) mod ownership;
pub(crate) mod payment;
pub(crate) mod policy;
pub(crate) mod public_access;
pub(crate) mod tagging;
pub(crate) mod website;

use s3s::S3Response;
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use store::{Snapshot, Tx};

use crate::error::{self, Refusal};
use crate::record::CONFIGURATIONS;
use crate::{S3, buckets};

/// A bucket's configuration of a kind, which is the sub-resource's name: `cors`, `notification`, …
pub(crate) fn read<T: for<'xml> Deserialize<'xml>>(
    snapshot: &Snapshot<'_>,
    bucket: &str,
    kind: &str,
) -> Result<Option<T>, Refusal> {
    let Some(document) = snapshot.get(&CONFIGURATIONS, (bucket, kind))? else { return Ok(None) };
    let mut reader = Deserializer::new(document.as_bytes());
    match T::deserialize(&mut reader) {
        Ok(configuration) => Ok(Some(configuration)),
        Err(error) => {
            tracing::error!(bucket, kind, ?error, "a stored configuration cannot be read");
            Err(error::internal())
        }
    }
}

/// Sets it.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    bucket: &str,
    kind: &str,
    document: &impl Serialize,
) -> Result<(), Refusal> {
    let mut written = Vec::new();
    document.serialize(&mut Serializer::new(&mut written)).map_err(|_| error::internal())?;
    let written = String::from_utf8(written).map_err(|_| error::internal())?;
    Ok(tx.put(&CONFIGURATIONS, (bucket, kind), &written)?)
}

/// Removes it. False if there was none.
pub(crate) fn remove(tx: &mut Tx<'_>, bucket: &str, kind: &str) -> Result<bool, Refusal> {
    Ok(tx.delete(&CONFIGURATIONS, (bucket, kind))?)
}

/// What a call about a bucket's configuration reads; none if nothing was set.
pub(crate) fn of_bucket<T: for<'xml> Deserialize<'xml>>(
    s3: &S3,
    bucket: &str,
    kind: &str,
) -> Result<Option<T>, Refusal> {
    s3.read(|snapshot| {
        buckets::find(snapshot, bucket)?;
        read(snapshot, bucket, kind)
    })
}

/// Sets it, in a transaction of its own.
pub(crate) async fn put(
    s3: &S3,
    bucket: String,
    kind: &'static str,
    document: impl Serialize + Send + 'static,
) -> Result<(), Refusal> {
    s3.write(move |tx| {
        buckets::find(tx, &bucket)?;
        write(tx, &bucket, kind, &document)
    })
    .await
}

/// Removes it, in a transaction of its own; what is not there is no error.
pub(crate) async fn clear(s3: &S3, bucket: String, kind: &'static str) -> Result<(), Refusal> {
    s3.write(move |tx| {
        buckets::find(tx, &bucket)?;
        remove(tx, &bucket, kind).map(drop)
    })
    .await
}

/// What S3 answers a deletion with.
pub(crate) fn no_content<T>(output: T) -> S3Response<T> {
    S3Response::with_status(output, http::StatusCode::NO_CONTENT)
}
