use s3s::dto::{
    AbortIncompleteMultipartUpload, LifecycleExpiration, LifecycleRuleFilter, NoncurrentVersionExpiration,
};

use super::*;
use crate::record::Object;

const HOUR_MS: i64 = 3_600_000;

fn rule() -> LifecycleRule {
    LifecycleRule {
        abort_incomplete_multipart_upload: None,
        expiration: None,
        filter: Some(LifecycleRuleFilter::default()),
        id: Some("one".into()),
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        prefix: None,
        status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
        transitions: None,
    }
}

fn expiring(days: i32) -> LifecycleRule {
    LifecycleRule {
        expiration: Some(LifecycleExpiration { days: Some(days), ..Default::default() }),
        ..rule()
    }
}

fn version(modified: i64, object: bool) -> Version {
    Version {
        id: "v".into(),
        modified: Timestamp(modified),
        owner: domain::Account::default(),
        object: object.then(|| Object { size: 10, ..Object::default() }),
    }
}

fn found(rule: LifecycleRule, versions: &[Version], now: i64) -> Found {
    of_key(&BucketLifecycleConfiguration { rules: vec![rule] }, "a/k", versions, Timestamp(now))
}

#[test]
fn days_end_at_the_next_midnight() {
    assert_eq!(after(Timestamp(10 * HOUR_MS), 3), Timestamp(4 * DAY_MS));
    let object = [version(10 * HOUR_MS, true)];
    assert_eq!(found(expiring(3), &object, 4 * DAY_MS - 1).next, Some(Timestamp(4 * DAY_MS)));
    assert_eq!(found(expiring(3), &object, 4 * DAY_MS).acts, [Act::Expire]);
    let disabled =
        LifecycleRule { status: ExpirationStatus::from_static(ExpirationStatus::DISABLED), ..expiring(3) };
    assert_eq!(found(disabled, &object, 9 * DAY_MS), Found::default());
    let elsewhere = LifecycleRule { filter: None, prefix: Some("b/".into()), ..expiring(3) };
    assert_eq!(found(elsewhere, &object, 9 * DAY_MS), Found::default());
    let larger = LifecycleRuleFilter { object_size_greater_than: Some(10), ..Default::default() };
    assert_eq!(
        found(LifecycleRule { filter: Some(larger), ..expiring(3) }, &object, 9 * DAY_MS),
        Found::default()
    );
}

#[test]
fn noncurrent_versions_go_by_when_they_became_so_and_by_how_many_are_newer() {
    let noncurrent = |newer| LifecycleRule {
        noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
            newer_noncurrent_versions: newer,
            noncurrent_days: Some(1),
        }),
        ..rule()
    };
    let versions = [version(5 * DAY_MS, true), version(3 * DAY_MS, true), version(0, true)];
    let one = found(noncurrent(None), &versions, 6 * DAY_MS);
    assert_eq!((one.acts, one.next), (vec![Act::Remove(2)], Some(Timestamp(7 * DAY_MS))));
    assert_eq!(found(noncurrent(None), &versions, 7 * DAY_MS).acts, [Act::Remove(1), Act::Remove(2)]);
    assert_eq!(found(noncurrent(Some(1)), &versions, 9 * DAY_MS).acts, [Act::Remove(2)]);
    let mut locked = versions.clone();
    locked[2].object.as_mut().unwrap().lock.legal_hold = Some(true);
    assert_eq!(found(noncurrent(Some(1)), &locked, 9 * DAY_MS), Found::default());
}

#[test]
fn a_marker_that_is_alone_goes() {
    let alone = LifecycleExpiration { expired_object_delete_marker: Some(true), ..Default::default() };
    let alone = LifecycleRule { expiration: Some(alone), ..rule() };
    assert_eq!(found(alone.clone(), &[version(0, false)], 1).acts, [Act::Remove(0)]);
    assert_eq!(found(alone, &[version(1, false), version(0, true)], 1), Found::default());
    assert_eq!(found(expiring(1), &[version(0, false)], 2 * DAY_MS).acts, [Act::Remove(0)]);
}

#[test]
fn an_upload_is_aborted_by_the_first_rule() {
    let abort = |days| LifecycleRule {
        abort_incomplete_multipart_upload: Some(AbortIncompleteMultipartUpload {
            days_after_initiation: Some(days),
        }),
        ..rule()
    };
    let upload = Upload {
        initiated: Timestamp(HOUR_MS),
        owner: domain::Account::default(),
        initiator: String::new(),
        described: crate::record::Described::default(),
        tags: std::collections::BTreeMap::new(),
        acl: None,
        lock: crate::record::Lock::default(),
        checksum_algorithm: "CRC64NVME".into(),
        checksum_kind: "FULL_OBJECT".into(),
        checksum_asked: false,
        deleted: false,
    };
    let configured = BucketLifecycleConfiguration { rules: vec![abort(7), abort(2)] };
    assert_eq!(of_upload(&configured, "k", &upload), Some(Timestamp(3 * DAY_MS)));
}
