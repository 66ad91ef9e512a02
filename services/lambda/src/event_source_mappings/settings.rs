//! How a source is polled: what a caller may say, by kind of source, and what it is if nobody says.

use domain::Timestamp;
use pattern::Pattern;
use serde::{Deserialize, Serialize};
use wire::Error;

use super::source::SourceKind;
use crate::error::{invalid_parameter, not_supported};
use crate::shapes;

/// Filters of a mapping.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>
const FILTERS_MAX: usize = 5;
/// `MaximumRecordAgeInSeconds`, if it is not -1 for ever.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
const RECORD_AGE_SECONDS_MIN: i32 = 60;
/// `ProvisionedPollerConfig` of a queue: the fewest pollers, and the most, if nobody says.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html>
const SQS_POLLERS_DEFAULT: (u32, u32) = (2, 200);

/// How a source is polled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The most records of a batch.
    pub batch_size: u32,
    /// How long to wait for more of them, in seconds.
    pub batching_window_seconds: Option<u32>,
    /// Event patterns. A record that matches none is passed over; without any, all match.
    pub filters: Vec<String>,
    /// `ReportBatchItemFailures`: a function may say which records of a batch failed.
    pub reports_item_failures: bool,
    /// `EventCount`: whether metrics of the mapping are published.
    pub counts_events: bool,
    /// `ScalingConfig.MaximumConcurrency`
    pub maximum_concurrency: Option<u32>,
    /// `ProvisionedPollerConfig`: the fewest pollers, and the most.
    pub provisioned_pollers: Option<(u32, u32)>,
    /// Where batches go that were given up. Of streams only.
    pub on_failure: Option<FailureDestination>,
    /// Where in a stream to begin.
    pub starting_position: Option<StartingPosition>,
    /// Concurrent batches of one shard.
    pub parallelization_factor: u32,
    /// Whether a batch that fails is halved.
    pub bisects: bool,
    /// The oldest record worth an attempt; none is any.
    pub record_age_seconds_max: Option<u32>,
    /// Attempts after the first; none is for ever.
    pub retries_max: Option<u32>,
    /// How long a tumbling window is; 0 is none.
    pub tumbling_window_seconds: u32,
}

/// The ARN that hears of batches that were given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDestination(pub String);

/// `StartingPosition`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartingPosition {
    /// The oldest record.
    TrimHorizon,
    /// What comes from now on.
    Latest,
    /// What came from this moment on.
    AtTimestamp(Timestamp),
}

/// What a request to create or to update says. The two spell these members alike.
pub struct Asked<'a> {
    pub batch_size: Option<i32>,
    pub batching_window: Option<i32>,
    pub filters: Option<&'a shapes::FilterCriteria>,
    pub kms_key_arn: Option<&'a str>,
    pub metrics: Option<&'a shapes::EventSourceMappingMetricsConfig>,
    pub logging: Option<&'a shapes::EventSourceMappingLoggingConfig>,
    pub scaling: Option<&'a shapes::ScalingConfig>,
    pub destinations: Option<&'a shapes::DestinationConfig>,
    pub parallelization_factor: Option<i32>,
    pub record_age: Option<i32>,
    pub bisects: Option<bool>,
    pub retries: Option<i32>,
    pub tumbling_window: Option<i32>,
    pub source_access: Option<&'a [shapes::SourceAccessConfiguration]>,
    pub response_types: Option<&'a [shapes::FunctionResponseType]>,
    pub msk: bool,
    pub self_managed_kafka: bool,
    pub document_db: bool,
    pub provisioned: Option<&'a shapes::ProvisionedPollerConfig>,
}

/// Reads what both requests have.
macro_rules! asked {
    ($input:expr) => {
        $crate::event_source_mappings::settings::Asked {
            batch_size: $input.batch_size,
            batching_window: $input.maximum_batching_window_in_seconds,
            filters: $input.filter_criteria.as_ref(),
            kms_key_arn: $input.kms_key_arn.as_deref(),
            metrics: $input.metrics_config.as_ref(),
            logging: $input.logging_config.as_ref(),
            scaling: $input.scaling_config.as_ref(),
            destinations: $input.destination_config.as_ref(),
            parallelization_factor: $input.parallelization_factor,
            record_age: $input.maximum_record_age_in_seconds,
            bisects: $input.bisect_batch_on_function_error,
            retries: $input.maximum_retry_attempts,
            tumbling_window: $input.tumbling_window_in_seconds,
            source_access: $input.source_access_configurations.as_deref(),
            response_types: $input.function_response_types.as_deref(),
            msk: $input.amazon_managed_kafka_event_source_config.is_some(),
            self_managed_kafka: $input.self_managed_kafka_event_source_config.is_some(),
            document_db: $input.document_db_event_source_config.is_some(),
            provisioned: $input.provisioned_poller_config.as_ref(),
        }
    };
}
pub(super) use asked;

impl Settings {
    /// What a mapping has of which nobody says anything.
    pub fn default_of(kind: SourceKind) -> Self {
        Self {
            batch_size: kind.batch_sizes().1,
            batching_window_seconds: kind.batching_window_seconds(),
            filters: Vec::new(),
            reports_item_failures: false,
            counts_events: false,
            maximum_concurrency: None,
            provisioned_pollers: None,
            on_failure: None,
            starting_position: None,
            parallelization_factor: 1,
            bisects: false,
            record_age_seconds_max: None,
            retries_max: None,
            tumbling_window_seconds: 0,
        }
    }

    /// Replaces what was sent and keeps the rest.
    pub fn changed(mut self, kind: SourceKind, asked: &Asked<'_>) -> Result<Self, Error> {
        asked.refuse_other_kinds(kind)?;
        if asked.kms_key_arn.is_some_and(|arn| !arn.is_empty()) {
            return Err(not_supported("KMSKeyArn of an event source mapping"));
        }
        if let Some(size) = asked.batch_size {
            self.batch_size = batch_size(kind, size)?;
        }
        if let Some(window) = asked.batching_window.and_then(|window| u32::try_from(window).ok()) {
            self.batching_window_seconds = Some(window);
        }
        self.check_batches(kind)?;
        if let Some(criteria) = asked.filters {
            self.filters = filters(criteria)?;
        }
        if let Some(types) = asked.response_types {
            self.reports_item_failures = !types.is_empty();
        }
        if let Some(config) = asked.metrics {
            self.counts_events = metrics(kind, config)?;
        }
        if let Some(scaling) = asked.scaling {
            self.maximum_concurrency = scaling.maximum_concurrency.and_then(|most| u32::try_from(most).ok());
        }
        if let Some(config) = asked.provisioned {
            self.provisioned_pollers = pollers(config)?;
        }
        if self.maximum_concurrency.is_some() && self.provisioned_pollers.is_some() {
            return Err(invalid_parameter(
                "ScalingConfig and ProvisionedPollerConfig cannot both be set on an event source mapping.",
            ));
        }
        self.change_stream(asked)?;
        Ok(self)
    }

    fn check_batches(&self, kind: SourceKind) -> Result<(), Error> {
        /// Above this a queue has to be waited for.
        /// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
        const WITHOUT_WINDOW_MAX: u32 = 10;
        let window = self.batching_window_seconds.unwrap_or_default();
        if kind == SourceKind::SqsFifo && window > 0 {
            return Err(invalid_parameter("Batching window is not supported for FIFO queues."));
        }
        if kind.is_sqs() && self.batch_size > WITHOUT_WINDOW_MAX && window == 0 {
            return Err(invalid_parameter(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        Ok(())
    }

    fn change_stream(&mut self, asked: &Asked<'_>) -> Result<(), Error> {
        if let Some(destinations) = asked.destinations {
            let arn = destinations.on_failure.as_ref().and_then(|on| on.destination.clone());
            self.on_failure = arn.filter(|arn| !arn.is_empty()).map(FailureDestination);
        }
        if let Some(factor) = asked.parallelization_factor.and_then(|factor| u32::try_from(factor).ok()) {
            self.parallelization_factor = factor;
        }
        if let Some(age) = asked.record_age {
            if (0..RECORD_AGE_SECONDS_MIN).contains(&age) {
                return Err(invalid_parameter(format!(
                    "Maximum record age in seconds must be -1 or at least {RECORD_AGE_SECONDS_MIN}."
                )));
            }
            self.record_age_seconds_max = u32::try_from(age).ok();
        }
        self.bisects = asked.bisects.unwrap_or(self.bisects);
        if let Some(retries) = asked.retries {
            self.retries_max = u32::try_from(retries).ok();
        }
        if let Some(window) = asked.tumbling_window.and_then(|window| u32::try_from(window).ok()) {
            self.tumbling_window_seconds = window;
        }
        Ok(())
    }

    /// The filters, ready to be compared with. They were checked before they were kept.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.filters.iter().filter_map(|filter| Pattern::parse(filter).ok()).collect()
    }
}

impl Asked<'_> {
    /// Refuses members that mean nothing for this kind of source.
    fn refuse_other_kinds(&self, kind: SourceKind) -> Result<(), Error> {
        let in_shards = kind.is_stream();
        // What needs provisioned pollers is checked with them, when there are such sources.
        let in_logs = in_shards || kind.is_kafka();
        let succeeds = self.destinations.is_some_and(|config| {
            config
                .on_success
                .as_ref()
                .is_some_and(|on| on.destination.as_deref().is_some_and(|arn| !arn.is_empty()))
        });
        let fails = self.destinations.is_some_and(|config| config.on_failure.is_some());
        let reports = self.response_types.is_some_and(|types| !types.is_empty());
        let wrong = [
            (succeeds || fails && !in_logs, "DestinationConfig"),
            (self.parallelization_factor.is_some() && !in_shards, "ParallelizationFactor"),
            (self.record_age.is_some() && !in_logs, "MaximumRecordAgeInSeconds"),
            (self.bisects.is_some() && !in_logs, "BisectBatchOnFunctionError"),
            (self.retries.is_some() && !in_logs, "MaximumRetryAttempts"),
            (self.tumbling_window.is_some() && !in_shards, "TumblingWindowInSeconds"),
            (reports && !kind.is_sqs() && !in_logs, "FunctionResponseTypes"),
            (self.scaling.is_some() && !kind.is_sqs(), "ScalingConfig"),
            (self.provisioned.is_some() && !kind.is_sqs() && !kind.is_kafka(), "ProvisionedPollerConfig"),
            (self.logging.is_some() && !kind.is_kafka(), "LoggingConfig"),
            (
                self.source_access.is_some_and(|access| !access.is_empty()) && (kind.is_sqs() || in_shards),
                "SourceAccessConfigurations",
            ),
            (self.msk && kind != SourceKind::Msk, "AmazonManagedKafkaEventSourceConfig"),
            (
                self.self_managed_kafka && kind != SourceKind::SelfManagedKafka,
                "SelfManagedKafkaEventSourceConfig",
            ),
            (self.document_db && kind != SourceKind::DocumentDb, "DocumentDBEventSourceConfig"),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, member)) => Err(unsupported_parameter(member)),
            None => Ok(()),
        }
    }
}

/// A member that means nothing for this kind of source.
pub fn unsupported_parameter(member: &str) -> Error {
    invalid_parameter(format!("Unsupported {member} parameter for given event source mapping type."))
}

fn batch_size(kind: SourceKind, size: i32) -> Result<u32, Error> {
    let (range, _) = kind.batch_sizes();
    match u32::try_from(size) {
        Ok(size) if range.contains(&size) => Ok(size),
        _ => Err(invalid_parameter(format!(
            "Batch size {size} is not supported for this event source. The maximum batch size is {}.",
            range.end()
        ))),
    }
}

fn filters(criteria: &shapes::FilterCriteria) -> Result<Vec<String>, Error> {
    let filters = criteria.filters.as_deref().unwrap_or_default();
    if filters.len() > FILTERS_MAX {
        return Err(invalid_parameter(format!(
            "The number of filters exceeds the maximum of {FILTERS_MAX} for an event source mapping."
        )));
    }
    let pattern = |filter: &shapes::Filter| {
        let pattern = filter.pattern.as_deref().unwrap_or_default();
        match Pattern::parse(pattern) {
            Ok(_) => Ok(pattern.to_owned()),
            Err(_) => Err(invalid_parameter("Invalid filter pattern definition.")),
        }
    };
    filters.iter().map(pattern).collect()
}

fn metrics(kind: SourceKind, config: &shapes::EventSourceMappingMetricsConfig) -> Result<bool, Error> {
    let metrics = config.metrics.as_deref().unwrap_or_default();
    let other = metrics.iter().find(|metric| **metric != shapes::EventSourceMappingMetric::EventCount);
    match other {
        Some(other) if !kind.is_kafka() => Err(invalid_parameter(format!(
            "The metric {} is not supported for this event source.",
            other.as_str()
        ))),
        _ => Ok(!metrics.is_empty()),
    }
}

fn pollers(config: &shapes::ProvisionedPollerConfig) -> Result<Option<(u32, u32)>, Error> {
    if config.poller_group_name.as_deref().is_some_and(|name| !name.is_empty()) {
        return Err(unsupported_parameter("PollerGroupName"));
    }
    let number = |given: Option<i32>| given.and_then(|given| u32::try_from(given).ok());
    let (fewest, most) = match (number(config.minimum_pollers), number(config.maximum_pollers)) {
        // Empty takes the setting away.
        (None, None) => return Ok(None),
        (fewest, most) => (fewest.unwrap_or(SQS_POLLERS_DEFAULT.0), most.unwrap_or(SQS_POLLERS_DEFAULT.1)),
    };
    if fewest < SQS_POLLERS_DEFAULT.0 || most < fewest {
        return Err(invalid_parameter(format!(
            "MinimumPollers must be at least {}, and MaximumPollers not less than MinimumPollers.",
            SQS_POLLERS_DEFAULT.0
        )));
    }
    Ok(Some((fewest, most)))
}
