//! What IAM calls S3's operations, and what each needs.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Bucket,
    Object,
}

use Level::{Bucket, Object};

/// An operation, as `s3s` calls it, its action, and that of the same operation on a version named by its id.
type Row = (&'static str, Level, &'static str, &'static str);

/// By operation. Those of an action in two places need it alike.
const OPERATIONS: &[Row] = &[
    ("abort_multipart_upload", Object, "AbortMultipartUpload", ""),
    ("complete_multipart_upload", Object, "PutObject", ""),
    ("copy_object", Object, "PutObject", ""),
    ("create_bucket", Bucket, "CreateBucket", ""),
    ("create_bucket_metadata_table_configuration", Bucket, "CreateBucketMetadataTableConfiguration", ""),
    ("create_multipart_upload", Object, "PutObject", ""),
    ("create_session", Bucket, "CreateSession", ""),
    ("delete_bucket", Bucket, "DeleteBucket", ""),
    ("delete_bucket_analytics_configuration", Bucket, "PutAnalyticsConfiguration", ""),
    ("delete_bucket_cors", Bucket, "PutBucketCORS", ""),
    ("delete_bucket_encryption", Bucket, "PutEncryptionConfiguration", ""),
    ("delete_bucket_intelligent_tiering_configuration", Bucket, "PutIntelligentTieringConfiguration", ""),
    ("delete_bucket_inventory_configuration", Bucket, "PutInventoryConfiguration", ""),
    ("delete_bucket_lifecycle", Bucket, "PutLifecycleConfiguration", ""),
    ("delete_bucket_metadata_table_configuration", Bucket, "DeleteBucketMetadataTableConfiguration", ""),
    ("delete_bucket_metrics_configuration", Bucket, "PutMetricsConfiguration", ""),
    ("delete_bucket_ownership_controls", Bucket, "PutBucketOwnershipControls", ""),
    ("delete_bucket_policy", Bucket, "DeleteBucketPolicy", ""),
    ("delete_bucket_replication", Bucket, "PutReplicationConfiguration", ""),
    ("delete_bucket_tagging", Bucket, "PutBucketTagging", ""),
    ("delete_bucket_website", Bucket, "DeleteBucketWebsite", ""),
    ("delete_object", Object, "DeleteObject", "DeleteObjectVersion"),
    ("delete_object_tagging", Object, "DeleteObjectTagging", "DeleteObjectVersionTagging"),
    ("delete_public_access_block", Bucket, "PutBucketPublicAccessBlock", ""),
    ("get_bucket_accelerate_configuration", Bucket, "GetAccelerateConfiguration", ""),
    ("get_bucket_acl", Bucket, "GetBucketAcl", ""),
    ("get_bucket_analytics_configuration", Bucket, "GetAnalyticsConfiguration", ""),
    ("get_bucket_cors", Bucket, "GetBucketCORS", ""),
    ("get_bucket_encryption", Bucket, "GetEncryptionConfiguration", ""),
    ("get_bucket_intelligent_tiering_configuration", Bucket, "GetIntelligentTieringConfiguration", ""),
    ("get_bucket_inventory_configuration", Bucket, "GetInventoryConfiguration", ""),
    ("get_bucket_lifecycle_configuration", Bucket, "GetLifecycleConfiguration", ""),
    ("get_bucket_location", Bucket, "GetBucketLocation", ""),
    ("get_bucket_logging", Bucket, "GetBucketLogging", ""),
    ("get_bucket_metadata_table_configuration", Bucket, "GetBucketMetadataTableConfiguration", ""),
    ("get_bucket_metrics_configuration", Bucket, "GetMetricsConfiguration", ""),
    ("get_bucket_notification_configuration", Bucket, "GetBucketNotification", ""),
    ("get_bucket_ownership_controls", Bucket, "GetBucketOwnershipControls", ""),
    ("get_bucket_policy", Bucket, "GetBucketPolicy", ""),
    ("get_bucket_policy_status", Bucket, "GetBucketPolicyStatus", ""),
    ("get_bucket_replication", Bucket, "GetReplicationConfiguration", ""),
    ("get_bucket_request_payment", Bucket, "GetBucketRequestPayment", ""),
    ("get_bucket_tagging", Bucket, "GetBucketTagging", ""),
    ("get_bucket_versioning", Bucket, "GetBucketVersioning", ""),
    ("get_bucket_website", Bucket, "GetBucketWebsite", ""),
    ("get_object", Object, "GetObject", "GetObjectVersion"),
    ("get_object_acl", Object, "GetObjectAcl", "GetObjectVersionAcl"),
    ("get_object_attributes", Object, "GetObject", "GetObjectVersion"),
    ("get_object_legal_hold", Object, "GetObjectLegalHold", ""),
    ("get_object_lock_configuration", Bucket, "GetBucketObjectLockConfiguration", ""),
    ("get_object_retention", Object, "GetObjectRetention", ""),
    ("get_object_tagging", Object, "GetObjectTagging", "GetObjectVersionTagging"),
    ("get_object_torrent", Object, "GetObjectTorrent", "GetObjectVersionTorrent"),
    ("get_public_access_block", Bucket, "GetBucketPublicAccessBlock", ""),
    ("head_bucket", Bucket, "ListBucket", ""),
    ("head_object", Object, "GetObject", "GetObjectVersion"),
    ("list_bucket_analytics_configurations", Bucket, "GetAnalyticsConfiguration", ""),
    ("list_bucket_intelligent_tiering_configurations", Bucket, "GetIntelligentTieringConfiguration", ""),
    ("list_bucket_inventory_configurations", Bucket, "GetInventoryConfiguration", ""),
    ("list_bucket_metrics_configurations", Bucket, "GetMetricsConfiguration", ""),
    ("list_multipart_uploads", Bucket, "ListBucketMultipartUploads", ""),
    ("list_object_versions", Bucket, "ListBucketVersions", ""),
    ("list_objects", Bucket, "ListBucket", ""),
    ("list_objects_v2", Bucket, "ListBucket", ""),
    ("list_parts", Object, "ListMultipartUploadParts", ""),
    ("post_object", Object, "PutObject", ""),
    ("put_bucket_accelerate_configuration", Bucket, "PutAccelerateConfiguration", ""),
    ("put_bucket_acl", Bucket, "PutBucketAcl", ""),
    ("put_bucket_analytics_configuration", Bucket, "PutAnalyticsConfiguration", ""),
    ("put_bucket_cors", Bucket, "PutBucketCORS", ""),
    ("put_bucket_encryption", Bucket, "PutEncryptionConfiguration", ""),
    ("put_bucket_intelligent_tiering_configuration", Bucket, "PutIntelligentTieringConfiguration", ""),
    ("put_bucket_inventory_configuration", Bucket, "PutInventoryConfiguration", ""),
    ("put_bucket_lifecycle_configuration", Bucket, "PutLifecycleConfiguration", ""),
    ("put_bucket_logging", Bucket, "PutBucketLogging", ""),
    ("put_bucket_metrics_configuration", Bucket, "PutMetricsConfiguration", ""),
    ("put_bucket_notification_configuration", Bucket, "PutBucketNotification", ""),
    ("put_bucket_ownership_controls", Bucket, "PutBucketOwnershipControls", ""),
    ("put_bucket_policy", Bucket, "PutBucketPolicy", ""),
    ("put_bucket_replication", Bucket, "PutReplicationConfiguration", ""),
    ("put_bucket_request_payment", Bucket, "PutBucketRequestPayment", ""),
    ("put_bucket_tagging", Bucket, "PutBucketTagging", ""),
    ("put_bucket_versioning", Bucket, "PutBucketVersioning", ""),
    ("put_bucket_website", Bucket, "PutBucketWebsite", ""),
    ("put_object", Object, "PutObject", ""),
    ("put_object_acl", Object, "PutObjectAcl", "PutObjectVersionAcl"),
    ("put_object_legal_hold", Object, "PutObjectLegalHold", ""),
    ("put_object_lock_configuration", Bucket, "PutBucketObjectLockConfiguration", ""),
    ("put_object_retention", Object, "PutObjectRetention", ""),
    ("put_object_tagging", Object, "PutObjectTagging", "PutObjectVersionTagging"),
    ("put_public_access_block", Bucket, "PutBucketPublicAccessBlock", ""),
    ("restore_object", Object, "RestoreObject", ""),
    ("select_object_content", Object, "GetObject", ""),
    ("upload_part", Object, "PutObject", ""),
    ("upload_part_copy", Object, "PutObject", ""),
];

/// Actions of policies that no operation of the table has alone.
const OTHERS: &[(Level, &str)] = &[
    (Object, "BypassGovernanceRetention"),
    (Object, "GetObjectAttributes"),
    (Object, "GetObjectVersionAttributes"),
    (Object, "GetObjectVersionForReplication"),
    (Object, "InitiateReplication"),
    (Object, "ObjectOwnerOverrideToBucketOwner"),
    (Object, "ReplicateDelete"),
    (Object, "ReplicateObject"),
    (Object, "ReplicateTags"),
    (Object, "UpdateObjectEncryption"),
    (Bucket, "ListTagsForResource"),
    (Bucket, "TagResource"),
    (Bucket, "UntagResource"),
    (Bucket, "GetBucketAbac"),
    (Bucket, "PutBucketAbac"),
];

/// The action that an operation needs, of the version with an id or not.
pub(crate) fn of(operation: &str, of_version: bool) -> Option<(Level, String)> {
    let (_, level, action, versioned) = OPERATIONS.iter().find(|(name, ..)| *name == operation)?;
    let name = if of_version && !versioned.is_empty() { versioned } else { action };
    Some((*level, format!("s3:{name}")))
}

/// What the actions that a pattern of a policy matches are about; nothing if it matches none.
pub(crate) fn levels(pattern: &str) -> Vec<Level> {
    let name = match pattern.split_once(':') {
        Some((service, name)) if service.eq_ignore_ascii_case("s3") => name,
        None if pattern == "*" => pattern,
        _ => return Vec::new(),
    };
    let of_operations = OPERATIONS.iter().flat_map(|(_, level, action, versioned)| {
        [*action, *versioned].into_iter().filter(|action| !action.is_empty()).map(|action| (*level, action))
    });
    let mut found = Vec::new();
    for (level, action) in of_operations.chain(OTHERS.iter().copied()) {
        if !found.contains(&level) && matches(name.as_bytes(), action.as_bytes()) {
            found.push(level);
        }
    }
    found
}

/// `*` is any characters, `?` one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, text) || text.split_first().is_some_and(|(_, text)| matches(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
        (Some((one, rest)), Some((other, text))) => one.eq_ignore_ascii_case(other) && matches(rest, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_its_action_and_another_for_a_version() {
        let name = |operation, version| of(operation, version).map(|(_, action)| action).unwrap_or_default();
        assert_eq!(name("head_object", false), "s3:GetObject");
        assert_eq!(name("head_object", true), "s3:GetObjectVersion");
        assert_eq!(name("head_bucket", true), "s3:ListBucket");
        assert_eq!(name("no_such_thing", false), "");
    }

    #[test]
    fn every_operation_that_is_implemented_has_one() {
        for operation in crate::front::OPERATIONS {
            // It lists what the caller's account has, of no bucket.
            assert!(
                *operation == "list_buckets"
                    || *operation == "delete_objects"
                    || of(operation, false).is_some(),
                "{operation}"
            );
        }
    }

    #[test]
    fn patterns_match_actions_of_buckets_of_objects_of_both_or_none() {
        assert_eq!(levels("s3:GetObject"), [Object]);
        assert_eq!(levels("s3:getobject"), [Object]);
        assert_eq!(levels("s3:ListBucket*"), [Bucket]);
        assert_eq!(levels("s3:Get*").len(), 2);
        assert_eq!(levels("*").len(), 2);
        assert_eq!(levels("s3:GetO?ject"), [Object]);
        assert!(levels("s3:Nothing").is_empty() && levels("sqs:*").is_empty());
    }
}
