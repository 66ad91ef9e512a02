//! What a notification configuration may be, before anything changes.

use s3s::S3ErrorCode;
use s3s::dto::NotificationConfiguration;

use super::matching::{Entry, bounds, covers, entries};
use crate::error::{Refusal, invalid_argument, malformed_xml, refuse};
use crate::record::Bucket;
use crate::{S3, Unfit, buckets};

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>
const FILTER_BYTES_MAX: usize = 1024;
/// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
const CONFIGURATIONS_MAX: usize = 100;

/// What can happen to an object. Those that need a storage class, a replica or a restored archive, which Hearth does not
/// have, can be asked for and never happen.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>
const EVENTS: &[&str] = &[
    "ObjectCreated:*",
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:*",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "ObjectTagging:*",
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectAcl:Put",
    "LifecycleExpiration:*",
    "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
    "LifecycleTransition",
    "IntelligentTiering",
    "ObjectRestore:*",
    "ObjectRestore:Post",
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "ReducedRedundancyLostObject",
    "Replication:*",
    "Replication:OperationFailedReplication",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "Replication:OperationNotTracked",
];

/// Whether a bucket can have this configuration, and whether whom it names can be told, unless that is not asked.
pub(super) fn check(
    s3: &S3,
    bucket: &Bucket,
    configured: &NotificationConfiguration,
    destinations: bool,
) -> Result<(), Refusal> {
    let entries = entries(configured);
    if entries.len() > CONFIGURATIONS_MAX {
        return Err(refuse(
            S3ErrorCode::from_bytes(b"TooManyConfigurations").unwrap_or(S3ErrorCode::InvalidArgument),
            "You are attempting to create a new configuration but have already reached the 100-configuration limit.",
        ));
    }
    for entry in &entries {
        check_events(entry)?;
        check_filter(entry)?;
        check_arn(entry, bucket)?;
    }
    for (index, entry) in entries.iter().enumerate() {
        for other in &entries[..index] {
            if entry.id.is_some() && entry.id == other.id {
                return Err(invalid_argument("Same ID used for multiple configurations. IDs must be unique"));
            }
            if overlap(entry, other) {
                return Err(invalid_argument(
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                ));
            }
        }
    }
    if destinations { check_destinations(s3, bucket, &entries) } else { Ok(()) }
}

fn check_events(entry: &Entry<'_>) -> Result<(), Refusal> {
    let known = |event: &str| event.strip_prefix("s3:").is_some_and(|name| EVENTS.contains(&name));
    match entry.events.iter().find(|event| !known(event.as_ref())) {
        Some(event) => Err(invalid_argument("A specified event is not supported for notifications.")
            .with("ArgumentName", "Event")
            .with("ArgumentValue", event.as_ref())),
        None if entry.events.is_empty() => Err(malformed_xml()),
        None => Ok(()),
    }
}

fn check_filter(entry: &Entry<'_>) -> Result<(), Refusal> {
    let rules =
        entry.filter.and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_deref());
    let (mut prefixes, mut suffixes) = (0, 0);
    for rule in rules.unwrap_or_default() {
        match rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).as_deref() {
            Some("prefix") => prefixes += 1,
            Some("suffix") => suffixes += 1,
            _ => return Err(invalid_argument("filter rule name must be either prefix or suffix")),
        }
        if rule.value.as_ref().is_some_and(|value| value.len() > FILTER_BYTES_MAX) {
            return Err(invalid_argument(
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
            ));
        }
    }
    for (count, name) in [(prefixes, "prefix"), (suffixes, "suffix")] {
        if count > 1 {
            return Err(invalid_argument(format!("Cannot specify more than one {name} rule in a filter.")));
        }
    }
    Ok(())
}

fn check_arn(entry: &Entry<'_>, bucket: &Bucket) -> Result<(), Refusal> {
    let malformed = || {
        invalid_argument("The ARN is not well formed")
            .with("ArgumentName", argument(entry.service))
            .with("ArgumentValue", entry.arn)
    };
    let parts: Vec<&str> = entry.arn.split(':').collect();
    let [scheme, _, service, region, account, resource, ..] = parts.as_slice() else {
        return Err(malformed());
    };
    if *scheme != "arn" || *service != entry.service || account.is_empty() || resource.is_empty() {
        return Err(malformed());
    }
    if *region != bucket.region.as_str() {
        return Err(invalid_argument(
            "The notification destination service region is not valid for the bucket location constraint",
        )
        .with("ArgumentName", argument(entry.service))
        .with("ArgumentValue", entry.arn));
    }
    Ok(())
}

fn argument(service: &str) -> &'static str {
    match service {
        "sns" => "Topic",
        "sqs" => "Queue",
        _ => "CloudFunction",
    }
}

/// Whether an event of a key could be told by both.
fn overlap(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    let share = |one: &str, other: &str| {
        let (plain, family) = (one.trim_start_matches("s3:"), other.trim_start_matches("s3:"));
        covers(one, family.trim_end_matches('*')) || covers(other, plain.trim_end_matches('*'))
    };
    let events = one.events.iter().any(|a| other.events.iter().any(|b| share(a.as_ref(), b.as_ref())));
    let ((prefix, suffix), (prefix_of_other, suffix_of_other)) = (bounds(one.filter), bounds(other.filter));
    events
        && (prefix.starts_with(prefix_of_other) || prefix_of_other.starts_with(prefix))
        && (suffix.ends_with(suffix_of_other) || suffix_of_other.ends_with(suffix))
}

fn check_destinations(s3: &S3, bucket: &Bucket, entries: &[Entry<'_>]) -> Result<(), Refusal> {
    let (arn, owner) = (buckets::arn(&bucket.name), bucket.owner.as_str());
    let mut refusal = None;
    for entry in entries {
        let why = match (s3.destinations)(entry.arn, &arn, owner) {
            Ok(()) if entry.arn.ends_with(".fifo") => {
                "FIFO destinations are not supported by S3 notifications"
            }
            Ok(()) => continue,
            Err(Unfit::Absent) => match entry.service {
                "sqs" => "The destination queue does not exist",
                "sns" => "The destination topic does not exist",
                _ => "The destination Lambda function does not exist",
            },
            Err(Unfit::Forbidden) => match entry.service {
                "sqs" => {
                    "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"
                }
                "sns" => {
                    "Permissions on the destination topic do not allow S3 to publish notifications from this bucket"
                }
                _ => "Not authorized to invoke function",
            },
        };
        let base = refusal.unwrap_or_else(|| {
            invalid_argument("Unable to validate the following destination configurations")
        });
        refusal = Some(base.with("ArgumentName", entry.arn).with("ArgumentValue", why));
    }
    refusal.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use s3s::dto::{Event, FilterRule, FilterRuleName, NotificationConfigurationFilter, S3KeyFilter};

    use super::*;

    fn filter(prefix: &str, suffix: &str) -> NotificationConfigurationFilter {
        let rule = |name: &'static str, value: &str| FilterRule {
            name: Some(FilterRuleName::from_static(name)),
            value: Some(value.to_owned()),
        };
        NotificationConfigurationFilter {
            key: Some(S3KeyFilter {
                filter_rules: Some(vec![rule("prefix", prefix), rule("suffix", suffix)]),
            }),
        }
    }

    #[test]
    fn configurations_overlap_if_one_event_of_one_key_could_go_to_both() {
        let check = |one: (&str, &str, &str), other: (&str, &str, &str), expected: bool| {
            let (events, others) = ([Event::from(one.0.to_owned())], [Event::from(other.0.to_owned())]);
            let (filter_one, filter_other) = (filter(one.1, one.2), filter(other.1, other.2));
            let entry =
                |events, filter| Entry { id: None, arn: "", service: "sqs", events, filter: Some(filter) };
            let (one_entry, other_entry) =
                (entry(&events[..], &filter_one), entry(&others[..], &filter_other));
            assert_eq!(overlap(&one_entry, &other_entry), expected, "{one:?} {other:?}");
            assert_eq!(overlap(&other_entry, &one_entry), expected, "{other:?} {one:?}");
        };
        check(("s3:ObjectCreated:*", "", ""), ("s3:ObjectCreated:Put", "", ""), true);
        check(("s3:ObjectCreated:*", "", ""), ("s3:ObjectCreated:*", "", ""), true);
        check(("s3:ObjectCreated:Copy", "", ""), ("s3:ObjectCreated:Put", "", ""), false);
        check(("s3:ObjectCreated:*", "", ""), ("s3:ObjectRemoved:*", "", ""), false);
        check(("s3:ObjectCreated:*", "a/", ""), ("s3:ObjectCreated:*", "a/b/", ""), true);
        check(("s3:ObjectCreated:*", "a/", ""), ("s3:ObjectCreated:*", "b/", ""), false);
        check(("s3:ObjectCreated:*", "a/", ".jpg"), ("s3:ObjectCreated:*", "a/", ".png"), false);
        check(("s3:ObjectCreated:*", "a/", "g"), ("s3:ObjectCreated:*", "a/", ".png"), true);
    }
}
