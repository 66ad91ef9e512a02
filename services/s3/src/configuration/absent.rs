//! What Hearth's buckets are never configured with: to set it is refused by its name, to read it answers as S3 does for a
//! bucket that has none, so that tools which read everything find what they expect.

use s3s::S3Response;
use s3s::dto::*;

use super::no_content;
use crate::call::Call;
use crate::error::{Refusal, not_found, not_implemented};
use crate::{S3, buckets};

/// Setting: refused.
macro_rules! refused {
    ($($name:ident($input:ident) -> $output:ident = $what:literal;)*) => {
        $(pub(crate) async fn $name(s3: &S3, _: &Call, input: $input) -> Result<S3Response<$output>, Refusal> {
            s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
            Err(not_implemented($what))
        })*
    };
}

/// Reading, and deleting where S3 refuses to delete what is not there.
macro_rules! missing {
    ($($name:ident($input:ident) -> $output:ident = $code:literal, $message:literal;)*) => {
        $(pub(crate) async fn $name(s3: &S3, _: &Call, input: $input) -> Result<S3Response<$output>, Refusal> {
            s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
            Err(not_found($code, $message, &input.bucket))
        })*
    };
}

/// Lists: empty.
macro_rules! empty {
    ($($name:ident($input:ident) -> $output:ident;)*) => {
        $(pub(crate) async fn $name(s3: &S3, _: &Call, input: $input) -> Result<S3Response<$output>, Refusal> {
            s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
            Ok(S3Response::new($output { is_truncated: Some(false), ..Default::default() }))
        })*
    };
}

refused! {
    put_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput = "replication";
    put_analytics(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput = "analytics configurations";
    put_inventory(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput = "inventory configurations";
    put_metrics(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput = "metrics configurations";
    put_tiering(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput = "S3 Intelligent-Tiering";
    create_metadata_table(CreateBucketMetadataTableConfigurationInput) -> CreateBucketMetadataTableConfigurationOutput = "metadata tables";
    create_session(CreateSessionInput) -> CreateSessionOutput = "directory buckets and their sessions";
    select(SelectObjectContentInput) -> SelectObjectContentOutput = "S3 Select";
    restore(RestoreObjectInput) -> RestoreObjectOutput = "RestoreObject: there are no archives";
    torrent(GetObjectTorrentInput) -> GetObjectTorrentOutput = "BitTorrent";
}

missing! {
    replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = "ReplicationConfigurationNotFoundError", "The replication configuration was not found";
    analytics(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    inventory(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    metrics(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    tiering(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    metadata_table(GetBucketMetadataTableConfigurationInput) -> GetBucketMetadataTableConfigurationOutput = "MetadataConfigurationNotFound", "The metadata configuration was not found";
    delete_analytics(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    delete_inventory(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    delete_metrics(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
    delete_tiering(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput = "NoSuchConfiguration", "The specified configuration does not exist.";
}

empty! {
    list_analytics(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput;
    list_inventory(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput;
    list_metrics(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput;
    list_tiering(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput;
}

pub(crate) async fn delete_replication(
    s3: &S3,
    _: &Call,
    input: DeleteBucketReplicationInput,
) -> Result<S3Response<DeleteBucketReplicationOutput>, Refusal> {
    s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    Ok(no_content(DeleteBucketReplicationOutput {}))
}

pub(crate) async fn delete_metadata_table(
    s3: &S3,
    _: &Call,
    input: DeleteBucketMetadataTableConfigurationInput,
) -> Result<S3Response<DeleteBucketMetadataTableConfigurationOutput>, Refusal> {
    s3.read(|snapshot| buckets::find(snapshot, &input.bucket))?;
    Ok(no_content(DeleteBucketMetadataTableConfigurationOutput {}))
}
