//! PutObjectRetention and GetObjectRetention.

use std::sync::Arc;

use domain::Timestamp;
use s3s::S3Response;
use s3s::dto::{
    GetObjectRetentionInput, GetObjectRetentionOutput, ObjectLockRetention, ObjectLockRetentionMode,
    PutObjectRetentionInput, PutObjectRetentionOutput,
};

use super::super::{change, stamp};
use super::{At, COMPLIANCE, GOVERNANCE, check_future, moment, not_locked, protected};
use crate::S3;
use crate::call::Call;
use crate::error::{Refusal, internal, malformed_xml};

/// A mode, and until when.
type Retention = Option<(String, Timestamp)>;

pub(crate) async fn put_retention(
    s3: &S3,
    call: &Arc<Call>,
    input: PutObjectRetentionInput,
) -> Result<S3Response<PutObjectRetentionOutput>, Refusal> {
    let wanted = read(input.retention.as_ref(), s3.now())?;
    let bypass = input.bypass_governance_retention == Some(true);
    let (state, call) = (s3.clone(), Arc::clone(call));
    s3.write(move |tx| {
        let at = At {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_ref(),
        };
        let (bucket, rank, mut version) = at.find(tx, &call)?;
        let lock = &mut version.object.as_mut().ok_or_else(internal)?.lock;
        check_change(&lock.retention, &wanted, bypass, state.now())?;
        lock.retention = wanted;
        change::amend(&state, tx, &call, &bucket, &input.key, rank, &version, None)
    })
    .await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}

pub(crate) async fn retention(
    s3: &S3,
    call: &Call,
    input: GetObjectRetentionInput,
) -> Result<S3Response<GetObjectRetentionOutput>, Refusal> {
    let at = At {
        bucket: &input.bucket,
        key: &input.key,
        version: input.version_id.as_deref(),
        owner: input.expected_bucket_owner.as_ref(),
    };
    let lock = at.lock(s3, call)?;
    let (mode, until) = lock.retention.ok_or_else(not_locked)?;
    Ok(S3Response::new(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from(mode)),
            retain_until_date: Some(stamp(until)),
        }),
    }))
}

/// What a document asks for; an empty one takes a retention away.
fn read(document: Option<&ObjectLockRetention>, now: Timestamp) -> Result<Retention, Refusal> {
    let document = document.ok_or_else(malformed_xml)?;
    match (document.mode.as_ref().map(ObjectLockRetentionMode::as_str), &document.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode @ (GOVERNANCE | COMPLIANCE)), Some(until)) => {
            let until = moment(until);
            check_future(until, now)?;
            Ok(Some((mode.to_owned(), until)))
        }
        _ => Err(malformed_xml()),
    }
}

/// A retention that runs can be made longer; shorter or another only if it governs, by who may bypass it.
fn check_change(before: &Retention, after: &Retention, bypass: bool, now: Timestamp) -> Result<(), Refusal> {
    let Some((mode, until)) = before.as_ref().filter(|(_, until)| *until > now) else { return Ok(()) };
    let kept = match after {
        None => false,
        Some((new_mode, new_until)) => new_until >= until && (mode == GOVERNANCE || new_mode == COMPLIANCE),
    };
    if kept || (bypass && mode == GOVERNANCE) { Ok(()) } else { Err(protected()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_can_only_be_made_longer() {
        let of = |mode: &str, until| Some((mode.to_owned(), Timestamp(until)));
        let check = |before: Retention, after: Retention, bypass, expected| {
            let found = check_change(&before, &after, bypass, Timestamp(100)).is_ok();
            assert_eq!(found, expected, "{before:?} to {after:?}, bypass {bypass}");
        };
        check(None, of(GOVERNANCE, 200), false, true);
        check(of(COMPLIANCE, 99), None, false, true);
        check(of(GOVERNANCE, 200), of(GOVERNANCE, 201), false, true);
        check(of(GOVERNANCE, 200), of(COMPLIANCE, 200), false, true);
        for after in [None, of(GOVERNANCE, 199)] {
            check(of(GOVERNANCE, 200), after.clone(), false, false);
            check(of(GOVERNANCE, 200), after, true, true);
        }
        check(of(COMPLIANCE, 200), of(COMPLIANCE, 201), false, true);
        for after in [None, of(COMPLIANCE, 199), of(GOVERNANCE, 300)] {
            check(of(COMPLIANCE, 200), after, true, false);
        }
    }
}
