//! `x-amz-expiration`: when an object will go, and by which rule.

use s3s::dto::BucketLifecycleConfiguration;
use store::Snapshot;

use super::configure::KIND;
use super::rules::{enabled, expiry, prefix};
use crate::configuration;
use crate::error::Refusal;
use crate::record::Version;

/// `expiry-date="Fri, 27 Nov 2026 00:00:00 GMT", rule-id="one"`, for the current version of a key.
pub(crate) fn told(
    snapshot: &Snapshot<'_>,
    bucket: &str,
    key: &str,
    current: &Version,
) -> Result<Option<String>, Refusal> {
    let Some(configured) = configuration::read::<BucketLifecycleConfiguration>(snapshot, bucket, KIND)?
    else {
        return Ok(None);
    };
    let first = enabled(&configured)
        .filter(|rule| current.object.is_some() && key.starts_with(prefix(rule)))
        .filter_map(|rule| Some((expiry(rule, current)?, rule.id.as_deref().unwrap_or_default())))
        .min();
    Ok(first.map(|(due, id)| {
        let due = jiff::Timestamp::from_millisecond(due.epoch_ms()).unwrap_or_default();
        let date = due.strftime("%a, %d %b %Y %H:%M:%S GMT");
        format!("expiry-date=\"{date}\", rule-id=\"{id}\"")
    }))
}
