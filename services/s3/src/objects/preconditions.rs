//! Conditions: what must, or must not, be there.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html>

use s3s::S3ErrorCode;
use s3s::dto::{ETagCondition, Timestamp, TimestampFormat};
use store::Snapshot;

use super::{current, stamp, version};
use crate::error::{Refusal, no_such_key, not_implemented, refuse};
use crate::record::{Object, Version};

/// Which version a condition is about: a key's current one, or the one with an id.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: Option<&'a str>,
}

/// Whether what is there may be written or deleted.
pub(crate) fn check_write(
    snapshot: &Snapshot<'_>,
    at: At<'_>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<(), Refusal> {
    if if_match.is_none() && if_none_match.is_none() {
        return Ok(());
    }
    let found = match at.version {
        None => current(snapshot, at.bucket, at.key)?,
        Some(id) => version(snapshot, at.bucket, at.key, id)?,
    };
    check_found(at.key, found.map(|(_, version)| version).as_ref(), if_match, if_none_match)
}

fn check_found(
    key: &str,
    current: Option<&Version>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> Result<(), Refusal> {
    let object = current.and_then(|version| version.object.as_ref());
    match if_none_match {
        None => {}
        Some(ETagCondition::Any) if object.is_none() => {}
        Some(ETagCondition::Any) => return Err(failed("If-None-Match")),
        Some(ETagCondition::ETag(_)) => {
            return Err(not_implemented("If-None-Match with an ETag on a write, which takes * alone"));
        }
    }
    match (if_match, object) {
        (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
        (Some(_), None) => Err(no_such_key(key)),
        (Some(ETagCondition::ETag(wanted)), Some(object)) if wanted.value() == object.etag => Ok(()),
        (Some(ETagCondition::ETag(_)), Some(_)) => Err(failed("If-Match")),
    }
}

/// The conditions of a read, or of a copy's source.
#[derive(Clone, Copy, Default)]
pub(crate) struct Conditions<'c> {
    pub(crate) if_match: Option<&'c ETagCondition>,
    pub(crate) if_none_match: Option<&'c ETagCondition>,
    pub(crate) if_modified_since: Option<&'c Timestamp>,
    pub(crate) if_unmodified_since: Option<&'c Timestamp>,
}

/// What a condition makes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmet {
    /// The reader has it already; by this condition.
    NotModified(&'static str),
    /// It is not what the reader means; by this condition.
    Failed(&'static str),
}

impl Conditions<'_> {
    /// The first condition that does not hold. One of an ETag that holds makes the one of a date void.
    pub(crate) fn unmet(&self, etag: &str, modified_seconds: i64) -> Option<Unmet> {
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(wanted) => wanted.value() == etag,
        };
        match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition) => return Some(Unmet::Failed("If-Match")),
            (None, Some(since)) if modified_seconds > seconds(since) => {
                return Some(Unmet::Failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if matches(condition) => Some(Unmet::NotModified("If-None-Match")),
            (None, Some(since)) if modified_seconds <= seconds(since) => {
                Some(Unmet::NotModified("If-Modified-Since"))
            }
            _ => None,
        }
    }
}

/// Whether a version may be read under these conditions.
pub(crate) fn check_read(
    conditions: &Conditions<'_>,
    version: &Version,
    object: &Object,
) -> Result<(), Refusal> {
    match conditions.unmet(&object.etag, version.modified.epoch_ms().div_euclid(1000)) {
        None => Ok(()),
        Some(Unmet::Failed(condition)) => Err(failed(condition)),
        Some(Unmet::NotModified(_)) => {
            let mut modified = Vec::new();
            let written = stamp(version.modified).format(TimestampFormat::HttpDate, &mut modified);
            let refusal = refuse(S3ErrorCode::NotModified, "Not Modified");
            let refusal = refusal.header("etag", &format!("\"{}\"", object.etag));
            Err(match written {
                Ok(()) => refusal.header("last-modified", &String::from_utf8_lossy(&modified)),
                Err(_) => refusal,
            })
        }
    }
}

pub(crate) fn failed(condition: &str) -> Refusal {
    refuse(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

/// Whole seconds since the epoch, as HTTP's dates have them.
pub(crate) fn seconds(time: &Timestamp) -> i64 {
    let mut written = Vec::new();
    let _ = time.format(TimestampFormat::EpochSeconds, &mut written);
    let written = String::from_utf8_lossy(&written);
    written.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use domain::Timestamp as Time;
    use s3s::dto::ETag;

    use super::*;

    #[test]
    fn conditions_hold_in_s3s_order() {
        let (same, other) =
            (ETagCondition::ETag(ETag::Strong("e".into())), ETagCondition::ETag(ETag::Strong("o".into())));
        let (before, at, after) = (stamp(Time(1_000)), stamp(Time(2_000)), stamp(Time(3_000)));
        let none = Conditions::default();
        let check = |conditions: Conditions<'_>, expected: Option<Unmet>| {
            assert_eq!(conditions.unmet("e", 2), expected);
        };
        check(none, None);
        check(Conditions { if_match: Some(&same), ..none }, None);
        check(Conditions { if_match: Some(&ETagCondition::Any), ..none }, None);
        check(Conditions { if_match: Some(&other), ..none }, Some(Unmet::Failed("If-Match")));
        check(Conditions { if_unmodified_since: Some(&at), ..none }, None);
        check(
            Conditions { if_unmodified_since: Some(&before), ..none },
            Some(Unmet::Failed("If-Unmodified-Since")),
        );
        check(Conditions { if_match: Some(&same), if_unmodified_since: Some(&before), ..none }, None);
        check(Conditions { if_none_match: Some(&same), ..none }, Some(Unmet::NotModified("If-None-Match")));
        check(Conditions { if_none_match: Some(&other), ..none }, None);
        check(
            Conditions { if_modified_since: Some(&at), ..none },
            Some(Unmet::NotModified("If-Modified-Since")),
        );
        check(
            Conditions { if_modified_since: Some(&after), ..none },
            Some(Unmet::NotModified("If-Modified-Since")),
        );
        check(Conditions { if_modified_since: Some(&before), ..none }, None);
        check(Conditions { if_none_match: Some(&other), if_modified_since: Some(&after), ..none }, None);
    }
}
