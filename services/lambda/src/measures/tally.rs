//! Counts invocations as they end: a lookup and some additions for each. Names and dimensions are made once for all that
//! ended since they were last asked for; for each invocation they took longer than everything else that is kept of it,
//! and thousands at a time held up those that ran meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{FunctionVersion, Timestamp};
use engine::{Capacity, InUse, InvokeError, Observation, Observed, Outcome};
use metrics::{Recorder, Statistics};
use uuid::Uuid;

use super::{Level, Subject, milliseconds};

/// What was counted since it was last recorded.
#[derive(Default)]
pub(super) struct Tallies(Mutex<HashMap<Key, Vec<Tally>>>);

/// One revision of a function, in one minute.
type Key = (Uuid, i64);

/// One ARN that it was invoked by.
struct Tally {
    version: Arc<FunctionVersion>,
    invoked_arn: String,
    at: Timestamp,
    numbers: Numbers,
}

/// By what they count.
#[derive(Default)]
struct Numbers {
    throttles: Statistics,
    extensions: Statistics,
    invocations: Statistics,
    errors: Statistics,
    duration: Statistics,
    provisioned: Statistics,
    spillover: Statistics,
    in_use: InUseNumbers,
}

/// What was in use: each number belongs to one level, and none is another's sum.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html>
#[derive(Default)]
struct InUseNumbers {
    account: Statistics,
    unreserved: Statistics,
    claimed: Statistics,
    function: Statistics,
    version: Statistics,
    provisioned: Statistics,
    utilization: Statistics,
}

impl Tallies {
    /// Counts one; whether it is the first since they were recorded.
    pub(super) fn count(&self, observation: &Observation<'_>, at: Timestamp) -> bool {
        // Errors of the platform count as neither invocations nor errors.
        if matches!(observation.what, Observed::Ended(Err(error)) if !is_throttle(error)) {
            return false;
        }
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = tallies.is_empty();
        let of_version = tallies.entry((observation.version.revision, minute(at))).or_default();
        let known = of_version.iter().position(|tally| tally.invoked_arn == observation.invoked_arn);
        let index = known.unwrap_or_else(|| {
            of_version.push(Tally::new(observation, at));
            of_version.len() - 1
        });
        of_version[index].numbers.count(observation);
        is_first
    }

    /// Records what was counted, and begins anew.
    pub(super) fn record(&self, recorder: &mut Recorder<'_>) {
        let counted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        counted.values().flatten().for_each(|tally| tally.record(recorder));
    }
}

impl Tally {
    fn new(observation: &Observation<'_>, at: Timestamp) -> Self {
        Self {
            version: Arc::clone(observation.version),
            invoked_arn: observation.invoked_arn.to_owned(),
            at,
            numbers: Numbers::default(),
        }
    }

    fn record(&self, recorder: &mut Recorder<'_>) {
        let Self { version, invoked_arn, at, numbers } = self;
        recorder.set_time(*at);
        let subject = Subject::of(&version.scope, version.name.as_str(), invoked_arn, Some(version.version));
        let mut merge = |metric, statistics: &Statistics| {
            if statistics.count > 0 {
                subject.merge(recorder, metric, statistics);
            }
        };
        merge("Throttles", &numbers.throttles);
        merge("PostRuntimeExtensionsDuration", &numbers.extensions);
        merge("Invocations", &numbers.invocations);
        merge("Errors", &numbers.errors);
        merge("Duration", &numbers.duration);
        merge("ProvisionedConcurrencyInvocations", &numbers.provisioned);
        merge("ProvisionedConcurrencySpilloverInvocations", &numbers.spillover);
        numbers.in_use.record(&subject, recorder);
    }
}

impl Numbers {
    fn count(&mut self, observation: &Observation<'_>) {
        match &observation.what {
            Observed::Ended(Ok(outcome)) => self.ran(outcome, &observation.in_use),
            Observed::Ended(Err(_)) => self.throttles.add(1.0),
            Observed::ExtensionsDone(duration) => self.extensions.add(milliseconds(*duration)),
        }
    }

    fn ran(&mut self, outcome: &Outcome, in_use: &InUse) {
        self.invocations.add(1.0);
        // Recorded as zero, too, so that its average is the rate of errors.
        self.errors.add(f64::from(u8::from(outcome.function_error.is_some())));
        self.throttles.add(0.0);
        self.duration.add(milliseconds(outcome.duration));
        match outcome.capacity {
            Capacity::OnDemand => {}
            Capacity::Provisioned => self.provisioned.add(1.0),
            Capacity::Spillover => self.spillover.add(1.0),
        }
        self.in_use.add(in_use);
    }
}

impl InUseNumbers {
    fn add(&mut self, in_use: &InUse) {
        self.account.add(in_use.account.into());
        self.unreserved.add(in_use.unreserved.into());
        self.claimed.add(in_use.claimed.into());
        self.function.add(in_use.function.into());
        self.version.add(in_use.version.into());
        if in_use.provisioned > 0 {
            let busy = f64::from(in_use.provisioned_in_use);
            self.provisioned.add(busy);
            self.utilization.add(busy / f64::from(in_use.provisioned));
        }
    }

    fn record(&self, subject: &Subject<'_>, recorder: &mut Recorder<'_>) {
        let mut merge = |level, metric, statistics: &Statistics| {
            if statistics.count > 0 {
                subject.merge_at(level, recorder, metric, statistics);
            }
        };
        merge(Level::Account, "ConcurrentExecutions", &self.account);
        merge(Level::Account, "UnreservedConcurrentExecutions", &self.unreserved);
        merge(Level::Account, "ClaimedAccountConcurrency", &self.claimed);
        merge(Level::Function, "ConcurrentExecutions", &self.function);
        merge(Level::Resource, "ConcurrentExecutions", &self.version);
        merge(Level::Resource, "ProvisionedConcurrentExecutions", &self.provisioned);
        merge(Level::Resource, "ProvisionedConcurrencyUtilization", &self.utilization);
    }
}

fn is_throttle(error: &InvokeError) -> bool {
    matches!(error, InvokeError::Throttled { .. })
}

/// What is counted together is stored together: in the minute of the first.
fn minute(at: Timestamp) -> i64 {
    at.epoch_ms().div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::Start;
    use metrics::{Metrics, Series};
    use store::{Location, Store};

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn invoked(tallies: &Tallies, version: &Arc<FunctionVersion>, duration_ms: u64, at: i64) -> bool {
        let outcome = Outcome {
            payload: bytes::Bytes::new(),
            function_error: None,
            log_tail: None,
            start: Start::Warm,
            capacity: Capacity::OnDemand,
            duration: Duration::from_millis(duration_ms),
        };
        let what = Observed::Ended(Ok(&outcome));
        let invoked_arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        tallies.count(&Observation { version, invoked_arn, in_use: InUse::default(), what }, Timestamp(at))
    }

    #[tokio::test]
    async fn what_is_counted_is_recorded_once_in_the_minute_it_was_of() {
        let store = Store::open(&store::Options { location: Location::Ephemeral }).unwrap();
        let metrics = Metrics::start(store, clock::Time::virtual_at(Timestamp(10 * MINUTE_MS)));
        let tallies = Arc::new(Tallies::default());
        let counted = Arc::clone(&tallies);
        metrics.gather_from(move |recorder| counted.record(recorder));
        let version = Arc::new(engine::isolation::fake::version("f"));
        let firsts = [(3, 0), (5, 1), (7, MINUTE_MS)].map(|(duration_ms, after_ms)| {
            invoked(&tallies, &version, duration_ms, 10 * MINUTE_MS + after_ms)
        });
        assert_eq!(firsts, [true, false, false]);
        metrics.flush().await.unwrap();
        assert!(invoked(&tallies, &version, 9, 11 * MINUTE_MS), "the first after they were recorded");

        let series = Series {
            scope: version.scope.clone(),
            namespace: crate::measures::NAMESPACE.to_owned(),
            metric: "Duration".to_owned(),
            dimensions: [("FunctionName".to_owned(), "f".to_owned())].into(),
        };
        let points = metrics.points(&series, Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
        let sums: Vec<_> =
            points.iter().map(|point| (point.statistics.count, point.statistics.sum)).collect();
        assert_eq!(sums, [(2, 8.0), (2, 16.0)]);
    }
}
