//! Event source mappings: their life, and what is refused.

use super::*;
use crate::event_source_mappings::{self as mappings, MAPPINGS, MappingRecord, MappingState};
use crate::shapes::{
    CreateEventSourceMappingRequest, DeleteEventSourceMappingRequest, EventSourceMappingConfiguration,
    EventSourcePosition, Filter, FilterCriteria, FunctionResponseType, GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest, OnFailure, ScalingConfig, UpdateEventSourceMappingRequest,
};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:queue";
const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

fn asked(arn: &str) -> CreateEventSourceMappingRequest {
    CreateEventSourceMappingRequest {
        event_source_arn: Some(arn.into()),
        function_name: "f".into(),
        ..Default::default()
    }
}

impl Server {
    async fn map(
        &self,
        input: CreateEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Error> {
        mappings::create(self.lambda.clone(), cx(), input).await
    }

    async fn remap(
        &self,
        input: UpdateEventSourceMappingRequest,
    ) -> Result<EventSourceMappingConfiguration, Error> {
        mappings::update(self.lambda.clone(), cx(), input).await
    }

    async fn unmap(&self, uuid: &str) -> Result<EventSourceMappingConfiguration, Error> {
        let input = DeleteEventSourceMappingRequest { uuid: uuid.into() };
        mappings::delete(self.lambda.clone(), cx(), input).await
    }

    async fn mapping(&self, uuid: &str) -> Result<EventSourceMappingConfiguration, Error> {
        mappings::get(self.lambda.clone(), cx(), GetEventSourceMappingRequest { uuid: uuid.into() }).await
    }

    /// Waits until no mapping is in transition.
    async fn until_mapped(&self) -> Vec<MappingRecord> {
        let mut bell = self.lambda.mappings_changed();
        loop {
            let found = self.lambda.mappings().unwrap();
            if found.iter().all(|mapping| !mapping.state.is_in_transition()) {
                return found;
            }
            bell.changed().await.unwrap();
        }
    }
}

async fn server() -> Server {
    let server = Server::start().await;
    server.function("f", "1").await;
    server
}

#[tokio::test]
async fn a_mapping_is_made_changed_and_deleted() {
    let server = server().await;
    let mut created = server.map(asked(QUEUE)).await.unwrap();
    let uuid = created.uuid.take().unwrap();
    assert!(created.last_modified.take().is_some());
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}");
    let expected = EventSourceMappingConfiguration {
        event_source_mapping_arn: Some(arn.clone()),
        event_source_arn: Some(QUEUE.into()),
        function_arn: Some("arn:aws:lambda:us-east-1:000000000000:function:f".into()),
        batch_size: Some(10),
        maximum_batching_window_in_seconds: Some(0),
        function_response_types: Some(vec![]),
        state: Some("Creating".into()),
        state_transition_reason: Some("USER_INITIATED".into()),
        ..Default::default()
    };
    assert_eq!(created, expected);
    server.until_mapped().await;
    assert_eq!(server.mapping(&uuid).await.unwrap().state.as_deref(), Some("Enabled"));

    let disabling = server
        .remap(UpdateEventSourceMappingRequest {
            uuid: uuid.clone(),
            enabled: Some(false),
            batch_size: Some(100),
            maximum_batching_window_in_seconds: Some(5),
            filter_criteria: Some(FilterCriteria {
                filters: Some(vec![Filter { pattern: Some(r#"{"body":{"a":[1]}}"#.into()) }]),
            }),
            function_response_types: Some(vec![FunctionResponseType::ReportBatchItemFailures]),
            scaling_config: Some(ScalingConfig { maximum_concurrency: Some(5) }),
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(disabling.state.as_deref(), Some("Disabling"));
    let kept = &server.until_mapped().await[0];
    assert_eq!((kept.state, kept.is_enabled), (MappingState::Disabled, false));
    assert_eq!((kept.settings.batch_size, kept.settings.batching_window_seconds), (100, Some(5)));
    assert_eq!((kept.settings.maximum_concurrency, kept.settings.reports_item_failures), (Some(5), true));
    assert!(kept.settings.patterns()[0].matches(&serde_json::json!({"body": {"a": 1}})));

    // What is sent empty is taken away; what is not sent stays.
    server
        .remap(UpdateEventSourceMappingRequest {
            uuid: uuid.clone(),
            enabled: Some(true),
            filter_criteria: Some(FilterCriteria::default()),
            scaling_config: Some(ScalingConfig::default()),
            ..Default::default()
        })
        .await
        .unwrap();
    let kept = &server.until_mapped().await[0];
    assert_eq!((kept.state, kept.settings.filters.len()), (MappingState::Enabled, 0));
    assert_eq!((kept.settings.maximum_concurrency, kept.settings.batch_size), (None, 100));

    let tags =
        TagResourceRequest { resource: arn.clone(), tags: BTreeMap::from([("team".into(), "x".into())]) };
    tags::tag(server.lambda.clone(), cx(), tags).await.unwrap();
    let input = crate::shapes::ListTagsRequest { resource: arn };
    assert_eq!(tags::list(server.lambda.clone(), cx(), input).await.unwrap().tags.unwrap().len(), 1);

    assert_eq!(server.unmap(&uuid).await.unwrap().state.as_deref(), Some("Deleting"));
    assert!(server.until_mapped().await.is_empty());
    let gone = "ResourceNotFoundException: The resource you requested does not exist.";
    assert_eq!(refusal(server.mapping(&uuid).await), gone);
    assert_eq!(refusal(server.unmap(&uuid).await), gone);
}

#[tokio::test]
async fn a_mapping_outlives_its_function_and_a_restart() {
    let server = server().await;
    server.map(asked(QUEUE)).await.unwrap();
    server.until_mapped().await;
    server.delete("f").await.unwrap();
    assert_eq!(server.lambda.mappings().unwrap().len(), 1);
    // Killed on the way.
    let mut record = server.lambda.mappings().unwrap().remove(0);
    record.state = MappingState::Deleting;
    server.store.write(move |tx| tx.put(&MAPPINGS, record.key(), &record)).await.unwrap();
    let next = Server::start_on(server.store.clone(), Passage::Open).await;
    assert!(next.until_mapped().await.is_empty());
}

#[tokio::test]
async fn a_mapping_in_transition_is_in_use() {
    let server = server().await;
    let uuid = server.map(asked(QUEUE)).await.unwrap().uuid.unwrap();
    let mut record = server.until_mapped().await.remove(0);
    record.state = MappingState::Updating;
    server.store.write(move |tx| tx.put(&MAPPINGS, record.key(), &record)).await.unwrap();
    let update = UpdateEventSourceMappingRequest { uuid: uuid.clone(), ..Default::default() };
    assert_eq!(
        refusal(server.remap(update).await),
        "ResourceInUseException: Cannot update the event source mapping because it is in use."
    );
    assert_eq!(
        refusal(server.unmap(&uuid).await),
        "ResourceInUseException: Cannot delete the event source mapping because it is in use."
    );
}

#[tokio::test]
async fn a_source_calls_a_function_once() {
    let server = server().await;
    let uuid = server.map(asked(QUEUE)).await.unwrap().uuid.unwrap();
    assert_eq!(
        refusal(server.map(asked(QUEUE)).await),
        format!(
            "ResourceConflictException: An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") \
             already exists. Please update or delete the existing mapping with UUID {uuid}"
        )
    );
    // An ARN with a qualifier is another target.
    let qualified = CreateEventSourceMappingRequest { function_name: "f:$LATEST".into(), ..asked(QUEUE) };
    server.map(qualified).await.unwrap();
    let list = |function: &str| ListEventSourceMappingsRequest {
        function_name: Some(function.into()),
        ..Default::default()
    };
    for (function, count) in [("f", 1), ("f:$LATEST", 1), ("g", 0)] {
        let listed = mappings::list(server.lambda.clone(), cx(), list(function)).await.unwrap();
        assert_eq!(listed.event_source_mappings.unwrap().len(), count, "{function}");
    }
    let mut page = ListEventSourceMappingsRequest { max_items: Some(1), ..Default::default() };
    let first = mappings::list(server.lambda.clone(), cx(), page.clone()).await.unwrap();
    page.marker = first.next_marker;
    let second = mappings::list(server.lambda.clone(), cx(), page).await.unwrap();
    assert_eq!(second.next_marker, None);
    assert_ne!(second.event_source_mappings, first.event_source_mappings);
}

#[tokio::test]
async fn what_a_source_cannot_do_is_refused() {
    let server = server().await;
    let queue = || asked(QUEUE);
    let fifo = || asked("arn:aws:sqs:us-east-1:000000000000:queue.fifo");
    let stream = || CreateEventSourceMappingRequest {
        starting_position: Some(EventSourcePosition::Latest),
        ..asked(STREAM)
    };
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000";
    let pattern =
        |text: &str| Some(FilterCriteria { filters: Some(vec![Filter { pattern: Some(text.into()) }; 1]) });
    let cases: Vec<(CreateEventSourceMappingRequest, &str)> = vec![
        (CreateEventSourceMappingRequest { event_source_arn: None, ..queue() }, "Unrecognized event source."),
        (asked("arn:aws:s3:::bucket"), "Unrecognized event source."),
        (
            CreateEventSourceMappingRequest { function_name: "nobody".into(), ..queue() },
            "Function does not exist",
        ),
        (
            CreateEventSourceMappingRequest { function_name: "f:7".into(), ..queue() },
            "Function does not exist",
        ),
        (
            asked("arn:aws:sqs:us-east-1:000000000000:gone"),
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
             Message: The specified queue does not exist.",
        ),
        (
            CreateEventSourceMappingRequest { batch_size: Some(11), ..queue() },
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (
            CreateEventSourceMappingRequest { batch_size: Some(11), ..fifo() },
            "Batch size 11 is not supported for this event source. The maximum batch size is 10.",
        ),
        (
            CreateEventSourceMappingRequest { maximum_batching_window_in_seconds: Some(1), ..fifo() },
            "Batching window is not supported for FIFO queues.",
        ),
        (
            CreateEventSourceMappingRequest {
                starting_position: Some(EventSourcePosition::Latest),
                ..queue()
            },
            "Unsupported starting position for arn type: arn:aws:sqs:us-east-1:000000000000:queue",
        ),
        (
            CreateEventSourceMappingRequest { parallelization_factor: Some(2), ..queue() },
            "Unsupported ParallelizationFactor parameter for given event source mapping type.",
        ),
        (
            CreateEventSourceMappingRequest {
                destination_config: Some(crate::shapes::DestinationConfig {
                    on_failure: Some(OnFailure { destination: Some(QUEUE.into()) }),
                    ..Default::default()
                }),
                ..queue()
            },
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            CreateEventSourceMappingRequest { filter_criteria: pattern("{}"), ..queue() },
            "Invalid filter pattern definition.",
        ),
        (
            CreateEventSourceMappingRequest { filter_criteria: pattern(""), ..queue() },
            "Invalid filter pattern definition.",
        ),
        (
            asked(STREAM),
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must \
             not be null.",
        ),
        (
            CreateEventSourceMappingRequest {
                starting_position: Some(EventSourcePosition::AtTimestamp),
                ..asked(table)
            },
            "Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/\
             2026-01-01T00:00:00.000",
        ),
        (
            CreateEventSourceMappingRequest { maximum_record_age_in_seconds: Some(59), ..stream() },
            "Maximum record age in seconds must be -1 or at least 60.",
        ),
        (
            stream(),
            "Hearth does not support event source mappings from Kinesis streams yet. Leave it out, or see \
             docs/compatibility.md.",
        ),
        (
            CreateEventSourceMappingRequest {
                event_source_arn: None,
                self_managed_event_source: Some(Default::default()),
                ..queue()
            },
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
    ];
    for (input, message) in cases {
        let refused = refusal(server.map(input).await);
        assert_eq!(refused, format!("InvalidParameterValueException: {message}"));
    }
    assert!(server.lambda.mappings().unwrap().is_empty());
}

#[tokio::test]
async fn a_queue_hides_messages_for_as_long_as_its_function_may_run() {
    let server = server().await;
    let slow = |seconds| UpdateFunctionConfigurationRequest {
        function_name: "f".into(),
        timeout: Some(seconds),
        ..Default::default()
    };
    server.map(asked(QUEUE)).await.unwrap();
    let too_slow = "InvalidParameterValueException: Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds";
    assert_eq!(refusal(server.update(slow(31)).await), too_slow);
    server.update(slow(30)).await.unwrap();
    server.until("f", |record| !record.is_in_transition()).await;

    server.function("g", "1").await;
    server
        .update(UpdateFunctionConfigurationRequest { function_name: "g".into(), ..slow(31) })
        .await
        .unwrap();
    let input = CreateEventSourceMappingRequest { function_name: "g".into(), ..asked(QUEUE) };
    assert_eq!(refusal(server.map(input).await), too_slow);
}

#[tokio::test]
async fn what_came_of_a_batch_is_told() {
    let server = server().await;
    let uuid = server.map(asked(QUEUE)).await.unwrap().uuid.unwrap();
    let record = server.until_mapped().await.remove(0);
    server.lambda.mapping_processed(record.scope, record.id, "OK").await.unwrap();
    assert_eq!(server.mapping(&uuid).await.unwrap().last_processing_result.as_deref(), Some("OK"));
}
