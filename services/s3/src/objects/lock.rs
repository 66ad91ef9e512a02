//! What keeps versions from being deleted: retention and legal holds, as writes ask for them and as buckets default them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

mod legal_hold;
mod retention;

pub(crate) use legal_hold::{legal_hold, put_legal_hold};
pub(crate) use retention::{put_retention, retention};

use std::time::Duration;

use domain::Timestamp;
use http::HeaderMap;
use s3s::S3ErrorCode;
use s3s::dto::{
    GetObjectOutput, ObjectLockConfiguration, ObjectLockLegalHoldStatus, ObjectLockMode,
    Timestamp as Written, TimestampFormat,
};
use store::Snapshot;

use super::preconditions::seconds;
use super::{existing, stamp};
use crate::call::Call;
use crate::error::{Refusal, internal, invalid_argument, invalid_request, refuse};
use crate::record::{Bucket, Lock, Version};
use crate::{S3, buckets, configuration};

const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const HOLD: &str = "x-amz-object-lock-legal-hold";
const GOVERNANCE: &str = "GOVERNANCE";
const COMPLIANCE: &str = "COMPLIANCE";
/// The configuration with a bucket's default.
const KIND: &str = configuration::object_lock::KIND;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DAYS_OF_YEAR: u32 = 365;

/// Which version of which object is asked about, and whose its bucket should be.
struct At<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    owner: Option<&'a String>,
}

impl At<'_> {
    /// The version, in a bucket that has locks.
    fn find(&self, snapshot: &Snapshot<'_>, call: &Call) -> Result<(Bucket, u64, Version), Refusal> {
        let bucket = buckets::find(snapshot, self.bucket)?;
        call.expects(self.owner, &bucket)?;
        check_bucket(&bucket)?;
        existing(snapshot, bucket, self.key, self.version)
    }

    /// What keeps the version from going.
    fn lock(&self, s3: &S3, call: &Call) -> Result<Lock, Refusal> {
        let (_, _, version) = s3.read(|snapshot| self.find(snapshot, call))?;
        Ok(version.object.ok_or_else(internal)?.lock)
    }
}

/// Whether the headers of a write lock what it writes.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    [MODE, UNTIL, HOLD].iter().any(|name| headers.contains_key(*name))
}

/// A PUT that locks must say what its bytes are.
pub(crate) fn check_digest(headers: &HeaderMap, has_digest: bool) -> Result<(), Refusal> {
    if is_asked(headers) && !has_digest {
        return Err(invalid_request(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        ));
    }
    Ok(())
}

/// How a write locks what it writes: as its headers say, else as its bucket does.
pub(crate) fn of_write(
    headers: &HeaderMap,
    snapshot: &Snapshot<'_>,
    bucket: &Bucket,
    now: Timestamp,
) -> Result<Lock, Refusal> {
    let asked = asked(headers, now)?;
    if !bucket.object_lock {
        return if is_asked(headers) { Err(no_configuration()) } else { Ok(Lock::default()) };
    }
    let retention = match asked.retention {
        Some(retention) => Some(retention),
        None => default_of(configuration::read(snapshot, &bucket.name, KIND)?, now),
    };
    Ok(Lock { retention, ..asked })
}

fn asked(headers: &HeaderMap, now: Timestamp) -> Result<Lock, Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let legal_hold = match text(HOLD) {
        None => None,
        Some("OFF") => Some(false),
        Some("ON") => Some(true),
        Some(other) => return Err(invalid(HOLD, other, "Legal Hold must be either of 'ON' or 'OFF'")),
    };
    let retention = match (text(MODE), text(UNTIL)) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            if mode != GOVERNANCE && mode != COMPLIANCE {
                return Err(invalid(MODE, mode, "Unknown wormMode directive."));
            }
            let written = Written::parse(TimestampFormat::DateTime, until).map_err(|_| {
                invalid(UNTIL, until, "The retain until date must be provided in ISO 8601 format")
            })?;
            let moment = moment(&written);
            check_future(moment, now).map_err(|refusal| argument(refusal, UNTIL, until))?;
            Some((mode.to_owned(), moment))
        }
        _ => {
            let missing = if headers.contains_key(MODE) { UNTIL } else { MODE };
            return Err(invalid_argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            )
            .with("ArgumentName", missing));
        }
    };
    Ok(Lock { retention, legal_hold })
}

fn default_of(configured: Option<ObjectLockConfiguration>, now: Timestamp) -> Option<(String, Timestamp)> {
    let default = configured?.rule?.default_retention?;
    let count = |count: i32| u32::try_from(count).unwrap_or(0);
    let days = default.days.map_or(0, count) + default.years.map_or(0, count).saturating_mul(DAYS_OF_YEAR);
    Some((default.mode?.as_str().to_owned(), now.plus(DAY.saturating_mul(days))))
}

/// Whether a lock lets its version go for good. `bypass` is for who may lift what governs; nobody may lift what binds.
pub(super) fn check_release(lock: &Lock, bypass: bool, now: Timestamp) -> Result<(), Refusal> {
    let retained = match &lock.retention {
        Some((mode, until)) => *until > now && !(bypass && mode == GOVERNANCE),
        None => false,
    };
    if lock.legal_hold == Some(true) || retained { Err(protected()) } else { Ok(()) }
}

/// What a GET or a HEAD tells of it.
pub(super) fn tell(lock: &Lock, output: &mut GetObjectOutput) {
    if let Some((mode, until)) = &lock.retention {
        output.object_lock_mode = Some(ObjectLockMode::from(mode.clone()));
        output.object_lock_retain_until_date = Some(stamp(*until));
    }
    output.object_lock_legal_hold_status = lock.legal_hold.map(status);
}

/// As S3 writes whether something is held.
fn status(held: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if held {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    })
}

fn check_future(until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if until > now { Ok(()) } else { Err(invalid_argument("The retain until date must be in the future!")) }
}

fn check_bucket(bucket: &Bucket) -> Result<(), Refusal> {
    if bucket.object_lock { Ok(()) } else { Err(no_configuration()) }
}

/// A moment of a document or a header, to the second.
fn moment(written: &Written) -> Timestamp {
    Timestamp(seconds(written).saturating_mul(1000))
}

fn no_configuration() -> Refusal {
    invalid_request("Bucket is missing Object Lock Configuration")
}

fn not_locked() -> Refusal {
    refuse(
        S3ErrorCode::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

fn protected() -> Refusal {
    refuse(S3ErrorCode::AccessDenied, "Access Denied because object protected by object lock.")
}

fn invalid(name: &str, value: &str, message: &'static str) -> Refusal {
    argument(invalid_argument(message), name, value)
}

fn argument(refusal: Refusal, name: &str, value: &str) -> Refusal {
    refusal.with("ArgumentName", name).with("ArgumentValue", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn headers_lock_wholly_or_not_at_all() {
        let check = |pairs: &[(&'static str, &str)], expected: Result<Lock, &str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            let found = asked(&headers, NOW).map_err(|Refusal(error)| error.message().unwrap().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{pairs:?}");
        };
        let later = "2033-05-18T03:33:20Z";
        check(&[], Ok(Lock::default()));
        check(&[(HOLD, "OFF")], Ok(Lock { legal_hold: Some(false), retention: None }));
        check(&[(HOLD, "ON")], Ok(Lock { legal_hold: Some(true), retention: None }));
        check(&[(HOLD, "on")], Err("Legal Hold must be either of 'ON' or 'OFF'"));
        let retention = Some((GOVERNANCE.to_owned(), Timestamp(2_000_000_000_000)));
        check(&[(MODE, GOVERNANCE), (UNTIL, later)], Ok(Lock { retention, legal_hold: None }));
        check(&[(MODE, "FOREVER"), (UNTIL, later)], Err("Unknown wormMode directive."));
        let past = "2001-09-09T01:46:40Z";
        check(&[(MODE, COMPLIANCE), (UNTIL, past)], Err("The retain until date must be in the future!"));
        for alone in [(MODE, COMPLIANCE), (UNTIL, later)] {
            check(
                &[alone],
                Err("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"),
            );
        }
    }

    #[test]
    fn a_lock_gives_way_to_time_and_only_governance_to_a_bypass() {
        let check = |mode: &str, hold, bypass, until, expected| {
            let lock = Lock { retention: Some((mode.to_owned(), Timestamp(until))), legal_hold: Some(hold) };
            assert_eq!(check_release(&lock, bypass, NOW).is_ok(), expected, "{lock:?} {bypass}");
        };
        let (past, future) = (NOW.0 - 1, NOW.0 + 1);
        check(GOVERNANCE, false, false, past, true);
        check(GOVERNANCE, false, false, future, false);
        check(GOVERNANCE, false, true, future, true);
        check(GOVERNANCE, true, true, past, false);
        check(COMPLIANCE, false, true, future, false);
        check(COMPLIANCE, false, false, past, true);
    }
}
