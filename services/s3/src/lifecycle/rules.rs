//! What rules say of a key's versions and of uploads, and when. Pure.

use domain::Timestamp;
use s3s::dto::{BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule, Tag};

use crate::record::{Upload, Version};

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is to be done with one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The current one expires: it goes, or gets a delete marker before it.
    Expire,
    /// One goes for good; by its place among the versions, newest first.
    Remove(usize),
}

/// A due act, or when the next will be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) acts: Vec<Act>,
    pub(super) next: Option<Timestamp>,
}

impl Found {
    fn add(&mut self, act: Act, due: Timestamp, now: Timestamp) {
        if due <= now {
            if !self.acts.contains(&act) {
                self.acts.push(act);
            }
        } else {
            self.wait(due);
        }
    }

    pub(super) fn wait(&mut self, moment: Timestamp) {
        self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
    }
}

/// What the rules say of the versions of a key, newest first.
pub(super) fn of_key(
    configured: &BucketLifecycleConfiguration,
    key: &str,
    versions: &[Version],
    now: Timestamp,
) -> Found {
    let mut found = Found::default();
    let Some(current) = versions.first() else { return found };
    for rule in enabled(configured).filter(|rule| key.starts_with(prefix(rule))) {
        let is_lone_marker = current.object.is_none() && versions.len() == 1;
        if current.object.is_some() {
            if let Some(due) = expiry(rule, current) {
                found.add(Act::Expire, due, now);
            }
        } else if is_lone_marker && !is_narrowed(rule) {
            let expiration = rule.expiration.as_ref();
            let at_once = expiration.and_then(|expiration| expiration.expired_object_delete_marker);
            let due = if at_once == Some(true) { Some(now) } else { moment(rule, current.modified) };
            if let Some(due) = due {
                found.add(Act::Remove(0), due, now);
            }
        }
        noncurrent(rule, versions, now, &mut found);
    }
    found
}

fn noncurrent(rule: &LifecycleRule, versions: &[Version], now: Timestamp, found: &mut Found) {
    let Some(noncurrent) = &rule.noncurrent_version_expiration else { return };
    let Some(days) = noncurrent.noncurrent_days else { return };
    let kept =
        noncurrent.newer_noncurrent_versions.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    for (at, pair) in versions.windows(2).enumerate().skip(kept) {
        let [newer, version] = pair else { continue };
        if !covers(rule, version) {
            continue;
        }
        // It became noncurrent when the newer one came.
        let due = after(newer.modified, days);
        let Some(due) = unlocked(version, due) else { continue };
        found.add(Act::Remove(at + 1), due, now);
    }
}

/// When a rule has a current object expire.
pub(super) fn expiry(rule: &LifecycleRule, current: &Version) -> Option<Timestamp> {
    if !covers(rule, current) {
        return None;
    }
    moment(rule, current.modified)
}

fn moment(rule: &LifecycleRule, from: Timestamp) -> Option<Timestamp> {
    let expiration = rule.expiration.as_ref()?;
    match (expiration.days, &expiration.date) {
        (Some(days), _) => Some(after(from, days)),
        (None, Some(date)) => Some(Timestamp(millis(date))),
        (None, None) => None,
    }
}

/// When the first of the rules aborts an upload.
pub(super) fn of_upload(
    configured: &BucketLifecycleConfiguration,
    key: &str,
    upload: &Upload,
) -> Option<Timestamp> {
    enabled(configured)
        .filter(|rule| key.starts_with(prefix(rule)))
        .filter_map(|rule| rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation)
        .map(|days| after(upload.initiated, days))
        .min()
}

/// So many days later, at the next midnight UTC.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-number-of-days>
pub(super) fn after(from: Timestamp, days: i32) -> Timestamp {
    midnight_after(Timestamp(from.epoch_ms() + i64::from(days) * DAY_MS))
}

/// The next midnight.
pub(super) fn midnight_after(moment: Timestamp) -> Timestamp {
    Timestamp((moment.epoch_ms().div_euclid(DAY_MS) + 1) * DAY_MS)
}

/// What is locked goes when it is not locked any more; never, if nobody knows when.
fn unlocked(version: &Version, due: Timestamp) -> Option<Timestamp> {
    let Some(object) = &version.object else { return Some(due) };
    if object.lock.legal_hold == Some(true) {
        return None;
    }
    Some(object.lock.retention.as_ref().map_or(due, |(_, until)| due.max(*until)))
}

pub(super) fn enabled(configured: &BucketLifecycleConfiguration) -> impl Iterator<Item = &LifecycleRule> {
    configured.rules.iter().filter(|rule| rule.status.as_str() == ExpirationStatus::ENABLED)
}

/// What a rule's keys begin with.
pub(super) fn prefix(rule: &LifecycleRule) -> &str {
    let of_filter = rule.filter.as_ref().and_then(|filter| {
        filter.prefix.as_deref().or_else(|| filter.and.as_ref().and_then(|and| and.prefix.as_deref()))
    });
    rule.prefix.as_deref().or(of_filter).unwrap_or_default()
}

/// Whether tags and size are those of the rule. A delete marker has neither.
fn covers(rule: &LifecycleRule, version: &Version) -> bool {
    let Some(filter) = &rule.filter else { return true };
    let Some(object) = &version.object else { return !is_narrowed(rule) };
    let has = |tag: &Tag| {
        let key = tag.key.as_deref().unwrap_or_default();
        object.tags.get(key).map(String::as_str) == Some(tag.value.as_deref().unwrap_or_default())
    };
    let size = i64::try_from(object.size).unwrap_or(i64::MAX);
    let fits = |greater: Option<i64>, less: Option<i64>| {
        greater.is_none_or(|greater| size > greater) && less.is_none_or(|less| size < less)
    };
    let and = filter.and.as_ref();
    filter.tag.as_ref().is_none_or(has)
        && fits(filter.object_size_greater_than, filter.object_size_less_than)
        && and.is_none_or(|and| {
            and.tags.as_deref().unwrap_or_default().iter().all(has)
                && fits(and.object_size_greater_than, and.object_size_less_than)
        })
}

fn is_narrowed(rule: &LifecycleRule) -> bool {
    rule.filter.as_ref().is_some_and(|filter| {
        let and = filter.and.as_ref();
        filter.tag.is_some()
            || filter.object_size_greater_than.is_some()
            || filter.object_size_less_than.is_some()
            || and.is_some_and(|and| {
                and.tags.as_ref().is_some_and(|tags| !tags.is_empty())
                    || and.object_size_greater_than.is_some()
                    || and.object_size_less_than.is_some()
            })
    })
}

/// A date of a document.
pub(super) fn millis(date: &s3s::dto::Timestamp) -> i64 {
    let mut written = Vec::new();
    let seconds = date.format(s3s::dto::TimestampFormat::EpochSeconds, &mut written).ok();
    let seconds = seconds.and_then(|()| std::str::from_utf8(&written).ok()?.parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "a date of this or that century")]
    seconds.map_or(i64::MAX, |seconds| (seconds * 1000.0) as i64)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
