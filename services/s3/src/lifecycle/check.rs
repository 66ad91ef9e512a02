//! What rules a bucket can have, in S3's words.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html>

use std::collections::BTreeSet;

use s3s::dto::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};

use super::rules::{DAY_MS, millis};
use crate::error::{Refusal, invalid_argument, invalid_request, malformed_xml, not_implemented};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
const RULES_MAX: usize = 1000;
const ID_CHARACTERS_MAX: usize = 255;
const NEWER_VERSIONS_MAX: i32 = 100;

pub(super) fn check(configured: &BucketLifecycleConfiguration) -> Result<(), Refusal> {
    if configured.rules.is_empty() || configured.rules.len() > RULES_MAX {
        return Err(malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for rule in &configured.rules {
        if let Some(id) = rule.id.as_deref().filter(|id| !id.is_empty()) {
            if id.chars().count() > ID_CHARACTERS_MAX {
                return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
            }
            if !ids.insert(id) {
                return Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
            }
        }
        check_rule(rule)?;
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Refusal> {
    if !matches!(rule.status.as_str(), ExpirationStatus::ENABLED | ExpirationStatus::DISABLED)
        || rule.prefix.is_some() == rule.filter.is_some()
    {
        return Err(malformed_xml());
    }
    let narrowed = rule.filter.as_ref().map(check_filter).transpose()?.unwrap_or_default();
    let transitions = rule.transitions.as_ref().is_some_and(|list| !list.is_empty());
    let noncurrent = rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if transitions || noncurrent {
        return Err(not_implemented("transitions to other storage classes: there are no tiers"));
    }
    if rule.expiration.is_none()
        && rule.noncurrent_version_expiration.is_none()
        && rule.abort_incomplete_multipart_upload.is_none()
    {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration, narrowed)?;
    }
    if let Some(noncurrent) = &rule.noncurrent_version_expiration {
        positive(noncurrent.noncurrent_days, "NoncurrentDays", "NoncurrentVersionExpiration")?;
        if noncurrent
            .newer_noncurrent_versions
            .is_some_and(|count| !(1..=NEWER_VERSIONS_MAX).contains(&count))
        {
            return Err(invalid_argument(
                "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer not \
                 greater than 100",
            ));
        }
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        positive(abort.days_after_initiation, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")?;
        if narrowed.tags {
            return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags."));
        }
        if narrowed.size {
            return Err(invalid_request(
                "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
            ));
        }
    }
    Ok(())
}

/// What a filter asks for besides a prefix.
#[derive(Clone, Copy, Default)]
struct Narrowed {
    tags: bool,
    size: bool,
}

fn check_filter(filter: &LifecycleRuleFilter) -> Result<Narrowed, Refusal> {
    let LifecycleRuleFilter { and, object_size_greater_than, object_size_less_than, prefix, tag } = filter;
    let size = [object_size_greater_than, object_size_less_than];
    let given = usize::from(and.is_some())
        + size.iter().filter(|size| size.is_some()).count()
        + usize::from(prefix.is_some())
        + usize::from(tag.is_some());
    if given > 1 {
        return Err(malformed_xml());
    }
    let Some(and) = and else {
        return Ok(Narrowed { tags: tag.is_some(), size: size.iter().any(|size| size.is_some()) });
    };
    let tags = and.tags.as_deref().unwrap_or_default();
    let sizes = [and.object_size_greater_than, and.object_size_less_than];
    if tags.len() + usize::from(and.prefix.is_some()) + sizes.iter().filter(|size| size.is_some()).count() < 2
    {
        return Err(malformed_xml());
    }
    if let [Some(greater), Some(less)] = sizes
        && greater >= less
    {
        return Err(invalid_request("ObjectSizeGreaterThan must be less than ObjectSizeLessThan"));
    }
    let mut keys = BTreeSet::new();
    if tags.iter().any(|tag| !keys.insert(tag.key.as_deref().unwrap_or_default())) {
        return Err(invalid_request("Duplicate Tag Keys are not allowed."));
    }
    Ok(Narrowed { tags: !tags.is_empty(), size: sizes.iter().any(|size| size.is_some()) })
}

fn check_expiration(expiration: &LifecycleExpiration, narrowed: Narrowed) -> Result<(), Refusal> {
    match (expiration.days, &expiration.date, expiration.expired_object_delete_marker) {
        (Some(days), None, None) => positive(Some(days), "Days", "Expiration"),
        (None, Some(date), None) if millis(date).rem_euclid(DAY_MS) != 0 => {
            Err(invalid_argument("'Date' must be at midnight GMT"))
        }
        (None, Some(_), None) => Ok(()),
        (None, None, Some(_)) if narrowed.tags => {
            Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags."))
        }
        (None, None, Some(_)) if narrowed.size => {
            Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Object Size."))
        }
        (None, None, Some(_)) => Ok(()),
        _ => Err(malformed_xml()),
    }
}

fn positive(days: Option<i32>, member: &str, action: &str) -> Result<(), Refusal> {
    match days {
        Some(days) if days > 0 => Ok(()),
        Some(_) => {
            Err(invalid_argument(format!("'{member}' for {action} action must be a positive integer")))
        }
        None => Err(malformed_xml()),
    }
}
