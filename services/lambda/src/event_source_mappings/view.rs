//! A mapping as the API shows it: of each kind of source only what means something for it.

use super::record::MappingRecord;
use super::settings::{Settings, StartingPosition};
use crate::shapes;

/// `EventSourceMappingConfiguration`
pub fn configuration(record: &MappingRecord) -> shapes::EventSourceMappingConfiguration {
    let settings = &record.settings;
    let common = shapes::EventSourceMappingConfiguration {
        uuid: Some(record.id.to_string()),
        event_source_mapping_arn: Some(record.arn()),
        event_source_arn: Some(record.source_arn.clone()),
        function_arn: Some(record.function_arn()),
        batch_size: Some(settings.batch_size.cast_signed()),
        maximum_batching_window_in_seconds: settings.batching_window_seconds.map(u32::cast_signed),
        filter_criteria: filters(settings),
        function_response_types: Some(if settings.reports_item_failures {
            vec![shapes::FunctionResponseType::ReportBatchItemFailures]
        } else {
            Vec::new()
        }),
        metrics_config: settings.counts_events.then(|| shapes::EventSourceMappingMetricsConfig {
            metrics: Some(vec![shapes::EventSourceMappingMetric::EventCount]),
        }),
        last_modified: Some(record.last_modified),
        last_processing_result: record.last_processing_result.clone(),
        state: Some(record.state.name().to_owned()),
        ..Default::default()
    };
    if record.source.is_stream() { stream(common, settings) } else { queue(common, settings) }
}

fn filters(settings: &Settings) -> Option<shapes::FilterCriteria> {
    let filter = |pattern: &String| shapes::Filter { pattern: Some(pattern.clone()) };
    (!settings.filters.is_empty())
        .then(|| shapes::FilterCriteria { filters: Some(settings.filters.iter().map(filter).collect()) })
}

fn queue(
    common: shapes::EventSourceMappingConfiguration,
    settings: &Settings,
) -> shapes::EventSourceMappingConfiguration {
    shapes::EventSourceMappingConfiguration {
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        scaling_config: settings
            .maximum_concurrency
            .map(|most| shapes::ScalingConfig { maximum_concurrency: Some(most.cast_signed()) }),
        provisioned_poller_config: settings.provisioned_pollers.map(|(fewest, most)| {
            shapes::ProvisionedPollerConfig {
                minimum_pollers: Some(fewest.cast_signed()),
                maximum_pollers: Some(most.cast_signed()),
                ..Default::default()
            }
        }),
        ..common
    }
}

fn stream(
    common: shapes::EventSourceMappingConfiguration,
    settings: &Settings,
) -> shapes::EventSourceMappingConfiguration {
    /// For ever.
    const NO_LIMIT: i32 = -1;
    let (position, moment) = match settings.starting_position {
        None => (None, None),
        Some(StartingPosition::TrimHorizon) => (Some(shapes::EventSourcePosition::TrimHorizon), None),
        Some(StartingPosition::Latest) => (Some(shapes::EventSourcePosition::Latest), None),
        Some(StartingPosition::AtTimestamp(moment)) => {
            (Some(shapes::EventSourcePosition::AtTimestamp), Some(moment))
        }
    };
    shapes::EventSourceMappingConfiguration {
        state_transition_reason: Some("User action".to_owned()),
        starting_position: position,
        starting_position_timestamp: moment,
        parallelization_factor: Some(settings.parallelization_factor.cast_signed()),
        bisect_batch_on_function_error: Some(settings.bisects),
        maximum_record_age_in_seconds: Some(
            settings.record_age_seconds_max.map_or(NO_LIMIT, u32::cast_signed),
        ),
        maximum_retry_attempts: Some(settings.retries_max.map_or(NO_LIMIT, u32::cast_signed)),
        tumbling_window_in_seconds: Some(settings.tumbling_window_seconds.cast_signed()),
        destination_config: Some(shapes::DestinationConfig {
            on_failure: Some(shapes::OnFailure {
                destination: settings.on_failure.as_ref().map(|destination| destination.0.clone()),
            }),
            on_success: None,
        }),
        last_processing_result: common
            .last_processing_result
            .or_else(|| Some("No records processed".to_owned())),
        ..common
    }
}
