//! `CreateEventSourceMapping`

use domain::Scope;
use store::Snapshot;
use uuid::Uuid;
use wire::{Context, Error};

use super::record::{MAPPINGS, MappingRecord, MappingState, of_scope};
use super::settings::{Settings, StartingPosition, asked, unsupported_parameter};
use super::source::{SourceKind, check_visibility, queue_facts};
use super::{settle, view};
use crate::error::{Refusal, invalid_parameter};
use crate::functions::{Target, validate_tags};
use crate::{Lambda, shapes};

/// Writes the mapping as `Creating`; it is `Enabled` once it is in effect.
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateEventSourceMappingRequest,
) -> Result<shapes::EventSourceMappingConfiguration, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?;
    let kind = kind(&input)?;
    refuse_other_kinds(kind, &input)?;
    let mut settings = Settings::default_of(kind).changed(kind, &asked!(input))?;
    settings.starting_position = starting_position(kind, &input)?;
    kind.refuse_unsupported()?;
    let tags = input.tags.unwrap_or_default();
    validate_tags(&tags)?;
    let source_arn = input.event_source_arn.unwrap_or_default();
    // A function that is not there, or whose role may not poll, is said before a queue that is not there; the
    // transaction decides.
    let found = lambda.store.read(|snapshot| target.resolve(snapshot).map_err(function_does_not_exist))?;
    lambda.check_polling(&found.record, &source_arn)?;
    let facts = queue_facts(&lambda.event_source, &target.scope, kind, &source_arn)?;
    let is_enabled = input.enabled.unwrap_or(true);
    let last_modified = lambda.now();
    let created = lambda
        .store
        .write(move |tx| {
            let function = target.resolve(tx).map_err(function_does_not_exist)?.record;
            check_visibility(facts, function.timeout_seconds)?;
            if function.per_tenant {
                // A record does not say whom it is for.
                return Err(invalid_parameter(
                    "Event source mappings are not supported for functions with tenancy configuration.",
                )
                .into());
            }
            let record = MappingRecord {
                scope: target.scope,
                id: Uuid::new_v4(),
                source_arn,
                source: kind,
                function: target.name,
                qualifier: target.qualifier,
                settings,
                is_enabled,
                state: MappingState::Creating,
                last_modified,
                last_processing_result: None,
                tags,
            };
            check_is_new(tx, &record)?;
            tx.put(&MAPPINGS, record.key(), &record)?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    settle::soon(&lambda, &created);
    Ok(view::configuration(&created))
}

fn kind(input: &shapes::CreateEventSourceMappingRequest) -> Result<SourceKind, Error> {
    match (&input.event_source_arn, &input.self_managed_event_source) {
        (Some(_), Some(_)) => {
            Err(invalid_parameter("Only one of EventSourceArn and SelfManagedEventSource can be specified."))
        }
        (Some(arn), None) => SourceKind::of_arn(arn),
        (None, Some(_)) if input.source_access_configurations.is_none() => {
            Err(invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing."))
        }
        (None, Some(_)) => Ok(SourceKind::SelfManagedKafka),
        (None, None) => Err(invalid_parameter("Unrecognized event source.")),
    }
}

/// The members that only this request has.
fn refuse_other_kinds(
    kind: SourceKind,
    input: &shapes::CreateEventSourceMappingRequest,
) -> Result<(), Error> {
    if input.topics.is_some() && !kind.is_kafka() {
        return Err(unsupported_parameter("Topics"));
    }
    if input.topics.is_none() && kind.is_kafka() {
        return Err(invalid_parameter("Required 'topics' parameter is missing."));
    }
    if input.queues.is_some() && kind != SourceKind::Mq {
        return Err(unsupported_parameter("Queues"));
    }
    if input.queues.is_none() && kind == SourceKind::Mq {
        return Err(invalid_parameter("Required 'queues' parameter is missing."));
    }
    let database =
        input.document_db_event_source_config.as_ref().and_then(|config| config.database_name.as_ref());
    if database.is_none() && kind == SourceKind::DocumentDb {
        return Err(invalid_parameter("Required 'databaseName' parameter is missing."));
    }
    Ok(())
}

fn starting_position(
    kind: SourceKind,
    input: &shapes::CreateEventSourceMappingRequest,
) -> Result<Option<StartingPosition>, Error> {
    let arn = input.event_source_arn.as_deref().unwrap_or_default();
    let unsupported = || invalid_parameter(format!("Unsupported starting position for arn type: {arn}"));
    let moment = input.starting_position_timestamp;
    let position = match &input.starting_position {
        None if kind.is_sqs() || kind == SourceKind::Mq => None,
        None if is_share_group(input) => None,
        None => {
            return Err(invalid_parameter(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member \
                 must not be null.",
            ));
        }
        Some(_) if kind.is_sqs() || kind == SourceKind::Mq => return Err(unsupported()),
        Some(shapes::EventSourcePosition::AtTimestamp) if kind == SourceKind::DynamoDb => {
            return Err(unsupported());
        }
        Some(shapes::EventSourcePosition::AtTimestamp) => {
            let moment = moment.ok_or_else(|| {
                invalid_parameter(
                    "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP.",
                )
            })?;
            return Ok(Some(StartingPosition::AtTimestamp(moment)));
        }
        Some(shapes::EventSourcePosition::TrimHorizon) => Some(StartingPosition::TrimHorizon),
        Some(_) => Some(StartingPosition::Latest),
    };
    match moment {
        Some(_) => Err(invalid_parameter(
            "StartingPositionTimestamp can only be given when StartingPosition is AT_TIMESTAMP.",
        )),
        None => Ok(position),
    }
}

fn is_share_group(input: &shapes::CreateEventSourceMappingRequest) -> bool {
    input.self_managed_kafka_event_source_config.as_ref().is_some_and(|config| {
        config.consumption_mode == Some(shapes::KafkaEventSourceMappingConsumptionMode::Queue)
    })
}

/// These operations have words of their own for a function that is not there.
pub fn function_does_not_exist(refusal: Refusal) -> Refusal {
    if refusal.is("ResourceNotFoundException") {
        return invalid_parameter("Function does not exist").into();
    }
    refusal
}

/// A source calls a function, version or alias once.
pub fn check_is_new(snapshot: &Snapshot<'_>, record: &MappingRecord) -> Result<(), Refusal> {
    let MappingRecord { source_arn, function, .. } = record;
    let scope: &Scope = &record.scope;
    let other = of_scope(snapshot, scope)?.into_iter().find(|other| {
        other.id != record.id
            && other.source_arn == *source_arn
            && other.function_arn() == record.function_arn()
    });
    let Some(other) = other else { return Ok(()) };
    let already = if record.source.is_sqs() {
        format!(
            "An event source mapping with SQS arn (\" {source_arn} \") and function (\" {function} \") already exists."
        )
    } else {
        format!(
            "The event source arn (\" {source_arn} \") and function (\" {function} \") provided mapping already exists."
        )
    };
    let then = format!("Please update or delete the existing mapping with UUID {}", other.id);
    Err(Error::new("ResourceConflictException", format!("{already} {then}")).into())
}
