//! Lambda's metrics: what is counted, and under which dimensions.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>

mod tally;

use std::sync::Arc;
use std::time::Duration;

use deliveries::{GivenUp, Purpose};
use domain::{FunctionRef, Qualifier, Scope, Version};
use engine::Observation;
use http::StatusCode;
use metrics::{Dimensions, Metrics, Recorder, Series, Statistics};

use self::tally::Tallies;
use crate::urls::UrlRecord;

/// The namespace of all of them.
pub const NAMESPACE: &str = "AWS/Lambda";

/// Counts every invocation of an engine.
pub fn observer(metrics: Metrics) -> engine::Observer {
    let tallies = Arc::new(Tallies::default());
    let counted = Arc::clone(&tallies);
    metrics.gather_from(move |recorder| counted.record(recorder));
    Arc::new(move |observation: &Observation<'_>| {
        if tallies.count(observation, metrics.now()) {
            metrics.counted();
        }
    })
}

/// Counts a request to a function URL, whoever answered it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html>
pub fn record_url(
    metrics: &Metrics,
    url: &Arc<UrlRecord>,
    executed: Option<Version>,
    status: StatusCode,
    latency: Duration,
) {
    let url = Arc::clone(url);
    metrics.observe(move |recorder| {
        let target = url.target();
        let qualifier = target.qualifier.unwrap_or(Qualifier::Latest);
        let subject = Subject {
            scope: &target.scope,
            function: target.name.as_str(),
            qualifier: Some(qualifier.to_string()),
            executed,
        };
        let mut add = |metric, value: f64| subject.add(recorder, metric, value);
        add("UrlRequestCount", 1.0);
        // Recorded as zero, too, so that their averages are rates.
        add("Url4xxCount", u8::from(status.is_client_error()).into());
        add("Url5xxCount", u8::from(status.is_server_error()).into());
        add("UrlRequestLatency", milliseconds(latency));
    });
}

/// What the numbers are of: a function, and the version or alias that was called.
struct Subject<'a> {
    scope: &'a Scope,
    function: &'a str,
    qualifier: Option<String>,
    /// Set where it is told apart from the qualifier.
    executed: Option<Version>,
}

/// How much a number is of.
#[derive(Clone, Copy)]
enum Level {
    Account,
    Function,
    /// The version or alias that was called, and the version that ran.
    Resource,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(
        scope: &'a Scope,
        function: &'a str,
        invoked_arn: &str,
        executed: Option<Version>,
    ) -> Self {
        let qualifier = invoked_arn.split(':').nth(7).map(str::to_owned);
        let is_alias = qualifier
            .as_ref()
            .is_some_and(|it| it != "$LATEST" && !it.bytes().all(|byte| byte.is_ascii_digit()));
        Self { scope, function, qualifier, executed: executed.filter(|_| is_alias) }
    }

    fn add(&self, recorder: &mut Recorder<'_>, metric: &'static str, value: f64) {
        let mut one = Statistics::default();
        one.add(value);
        self.merge(recorder, metric, &one);
    }

    /// What adds up over the functions of an account, and over the versions of a function.
    fn merge(&self, recorder: &mut Recorder<'_>, metric: &'static str, statistics: &Statistics) {
        for level in [Level::Account, Level::Function, Level::Resource] {
            self.merge_at(level, recorder, metric, statistics);
        }
    }

    fn merge_at(
        &self,
        level: Level,
        recorder: &mut Recorder<'_>,
        metric: &'static str,
        statistics: &Statistics,
    ) {
        let mut add = |dimensions: Dimensions| {
            let series = Series {
                scope: self.scope.clone(),
                namespace: NAMESPACE.to_owned(),
                metric: metric.to_owned(),
                dimensions,
            };
            recorder.merge(series, statistics);
        };
        let of_function = || Dimensions::from([("FunctionName".to_owned(), self.function.to_owned())]);
        match (level, &self.qualifier) {
            (Level::Account, _) => add(Dimensions::new()),
            (Level::Function, _) => add(of_function()),
            (Level::Resource, None) => {}
            (Level::Resource, Some(qualifier)) => {
                let mut of_resource = of_function();
                of_resource.insert("Resource".to_owned(), format!("{}:{qualifier}", self.function));
                if let Some(executed) = self.executed {
                    let mut of_version = of_resource.clone();
                    of_version.insert("ExecutedVersion".to_owned(), executed.to_string());
                    add(of_version);
                }
                add(of_resource);
            }
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Adds to a metric of a function, by the ARN that it was called by.
pub fn record(metrics: &Metrics, function_arn: &str, metric: &'static str, value: f64) {
    let arn = function_arn.to_owned();
    metrics.observe(move |recorder| {
        let Ok(FunctionRef { name, region: Some(region), account: Some(account), .. }) = arn.parse() else {
            return;
        };
        let scope = Scope { account, region };
        Subject::of(&scope, name.as_str(), &arn, None).add(recorder, metric, value);
    });
}

/// Adds to a metric of an event source mapping.
pub fn record_of_mapping(
    metrics: &Metrics,
    scope: &Scope,
    mapping: uuid::Uuid,
    metric: &'static str,
    events: usize,
) {
    let series = Series {
        scope: scope.clone(),
        namespace: NAMESPACE.to_owned(),
        metric: metric.to_owned(),
        dimensions: [("EventSourceMappingUUID".to_owned(), mapping.to_string())].into(),
    };
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    metrics.observe(move |recorder| recorder.add(series, f64::from(events)));
}

/// A report about an event did not arrive.
pub fn given_up(metrics: &Metrics, lost: &GivenUp) {
    let metric = match lost.purpose {
        Purpose::Event => return,
        Purpose::Destination => "DestinationDeliveryFailures",
        Purpose::DeadLetter => "DeadLetterErrors",
    };
    record(metrics, lost.sender.source_arn(), metric, 1.0);
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use store::{Location, Store};

    use super::*;

    #[tokio::test]
    async fn a_call_by_alias_counts_for_the_function_the_alias_and_the_account() {
        let store = Store::open(&store::Options { location: Location::Ephemeral }).unwrap();
        let metrics = Metrics::start(store, clock::Time::system());
        record(&metrics, "arn:aws:lambda:us-east-1:000000000000:function:f:live", "AsyncEventsReceived", 1.0);
        let found = metrics.series(&Scope::default(), NAMESPACE).await.unwrap();
        let dimensions: Vec<Vec<String>> =
            found.iter().map(|series| series.dimensions.values().cloned().collect()).collect();
        assert_eq!(dimensions, [vec![], vec!["f".to_owned()], vec!["f".to_owned(), "f:live".to_owned()]]);
        for series in found {
            let points = metrics.points(&series, Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
            assert_eq!(points.len(), 1);
        }
    }
}
