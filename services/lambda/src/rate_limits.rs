//! How many requests of the control plane an account may make in a second, in each region: AWS's quotas, if the operator
//! wants them. Invocations have rates of their own, which the engine keeps.
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{Bucket, Scope, Timestamp, limits};
use wire::schema::Operation;
use wire::{Context, Error};

use crate::Lambda;

/// Which numbers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// None: on one's own machine they would only be in the way.
    #[default]
    None,
    /// AWS's.
    Aws,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Quota {
    GetFunction,
    GetPolicy,
    /// The rest of the control plane.
    Rest,
}

impl Quota {
    /// Of an operation; invocations have none.
    fn of(operation: &str) -> Option<Self> {
        match operation {
            "Invoke" | "InvokeAsync" | "InvokeWithResponseStream" => None,
            "GetFunction" => Some(Self::GetFunction),
            "GetPolicy" => Some(Self::GetPolicy),
            _ => Some(Self::Rest),
        }
    }

    fn per_second(self) -> u32 {
        match self {
            Self::GetFunction => limits::GET_FUNCTION_PER_SECOND,
            Self::GetPolicy => limits::GET_POLICY_PER_SECOND,
            Self::Rest => limits::CONTROL_PLANE_PER_SECOND,
        }
    }
}

/// Every account's buckets, each of as many tokens as come in a second.
#[derive(Debug, Default)]
pub struct Rates {
    buckets: Mutex<HashMap<(Scope, Quota), Bucket>>,
}

impl Rates {
    /// As many buckets are kept although they may be full.
    const BUCKETS_KEPT: usize = 1024;

    fn take(&self, scope: &Scope, quota: Quota, now: Timestamp) -> bool {
        const HOLDS: Duration = Duration::from_secs(1);
        let now = Duration::from_millis(u64::try_from(now.epoch_ms()).unwrap_or_default());
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > Self::BUCKETS_KEPT {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        buckets.entry((scope.clone(), quota)).or_default().take(HOLDS / quota.per_second(), HOLDS, now)
    }
}

impl Lambda {
    /// Whether the caller's account may make another request of this kind now.
    pub(crate) fn admit(&self, cx: &Context, operation: &'static Operation) -> Result<(), Error> {
        if self.rate_limits == RateLimits::None {
            return Ok(());
        }
        match Quota::of(operation.name) {
            Some(quota) if !self.rates.take(&cx.scope, quota, self.now()) => Err(too_many()),
            _ => Ok(()),
        }
    }
}

/// In the words that the control plane has for it; invocations have a stop behind theirs.
fn too_many() -> Error {
    /// A bucket has a token again before.
    const RETRY_AFTER_SECONDS: &str = "1";
    Error::new("TooManyRequestsException", "Rate exceeded")
        .with_field("Reason", "CallerRateLimitExceeded")
        .with_field("retryAfterSeconds", RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use domain::{Account, Region};

    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);

    fn scope(account: &str, region: &str) -> Scope {
        Scope { account: Account::parse(account).unwrap(), region: Region::parse(region).unwrap() }
    }

    /// How many are let in at one moment.
    fn drain(rates: &Rates, scope: &Scope, quota: Quota, now: Timestamp) -> usize {
        (0..1000).take_while(|_| rates.take(scope, quota, now)).count()
    }

    fn after(ms: i64) -> Timestamp {
        Timestamp(START.0 + ms)
    }

    #[test]
    fn operations_are_counted_as_aws_counts_them() {
        let check = |operation: &str, expected: Option<u32>| {
            assert_eq!(Quota::of(operation).map(Quota::per_second), expected, "{operation}");
        };
        for operation in ["Invoke", "InvokeAsync", "InvokeWithResponseStream"] {
            check(operation, None);
        }
        check("GetFunction", Some(100));
        check("GetPolicy", Some(15));
        for operation in ["CreateFunction", "GetFunctionConfiguration", "ListTags", "GetLayerVersionPolicy"] {
            check(operation, Some(15));
        }
    }

    #[test]
    fn each_bucket_empties_at_once_and_fills_in_a_second() {
        let here = scope("000000000000", "us-east-1");
        for quota in [Quota::GetFunction, Quota::GetPolicy, Quota::Rest] {
            let (rates, most) = (Rates::default(), quota.per_second() as usize);
            assert_eq!(drain(&rates, &here, quota, START), most);
            assert_eq!(drain(&rates, &here, quota, START), 0);
            assert_eq!(drain(&rates, &here, quota, after(500)), most / 2);
            assert_eq!(drain(&rates, &here, quota, after(1_500)), most);
            assert_eq!(drain(&rates, &here, quota, after(3_600_000)), most, "a rest earns no more");
        }
    }

    #[test]
    fn neither_quotas_nor_accounts_nor_regions_share_a_bucket() {
        let rates = Rates::default();
        let here = scope("000000000000", "us-east-1");
        assert_eq!(drain(&rates, &here, Quota::Rest, START), 15);
        assert_eq!(drain(&rates, &here, Quota::GetPolicy, START), 15);
        assert_eq!(drain(&rates, &scope("000000000000", "eu-west-1"), Quota::Rest, START), 15);
        assert_eq!(drain(&rates, &scope("111111111111", "us-east-1"), Quota::Rest, START), 15);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody_for_long() {
        let (rates, here) = (Rates::default(), scope("000000000000", "us-east-1"));
        assert_eq!(drain(&rates, &here, Quota::Rest, after(3_600_000)), 15);
        assert_eq!(drain(&rates, &here, Quota::Rest, START), 0);
        assert_eq!(drain(&rates, &here, Quota::Rest, after(1_000)), 15);
    }

    #[test]
    fn buckets_that_are_full_are_not_kept() {
        let rates = Rates::default();
        for account in 0..=Rates::BUCKETS_KEPT {
            assert!(rates.take(&scope(&format!("{account:012}"), "us-east-1"), Quota::Rest, START));
        }
        assert!(rates.take(&scope("999999999999", "us-east-1"), Quota::Rest, after(1_000)));
        assert_eq!(rates.buckets.lock().unwrap().len(), 1);
    }
}
