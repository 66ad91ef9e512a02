//! What a schedule may call, and the delivery that calls it.

use std::collections::BTreeMap;

use deliveries::{Attribute, Backoff, DeadLetter, Delivery, Message, Policy, Sender};
use domain::{Scope, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;
use wire::Error;

use crate::error::{not_supported, validation};
use crate::record::TargetRecord;
use crate::shapes;

/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html>
const RETRIES_DEFAULT: u32 = 185;
pub(super) const AGE_SECONDS_DEFAULT: u64 = 86_400;
/// What the ARNs of universal targets begin with: `arn:aws:scheduler:::aws-sdk:<service>:<action>`.
const UNIVERSAL: &str = ":scheduler:::aws-sdk:";

/// What read-only actions begin with: nobody would see what they answer.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html#unsupported-api-actions>
const READ_ONLY: [&str; 25] = [
    "get",
    "describe",
    "list",
    "poll",
    "receive",
    "search",
    "scan",
    "query",
    "select",
    "read",
    "lookup",
    "discover",
    "validate",
    "batchGet",
    "batchDescribe",
    "batchRead",
    "transactGet",
    "adminGet",
    "adminList",
    "testMigration",
    "retrieve",
    "testConnection",
    "translateDocument",
    "isAuthorized",
    "invokeModel",
];

/// Reads a target.
pub(super) fn read(given: shapes::Target) -> Result<TargetRecord, Error> {
    for (name, is_there) in [
        ("EcsParameters", given.ecs_parameters.is_some()),
        ("EventBridgePutEventsV2Parameters", given.event_bridge_put_events_v2_parameters.is_some()),
        ("EventBridgePutRawEventsParameters", given.event_bridge_put_raw_events_parameters.is_some()),
        ("KinesisParameters", given.kinesis_parameters.is_some()),
        ("SageMakerPipelineParameters", given.sage_maker_pipeline_parameters.is_some()),
    ] {
        if is_there {
            return Err(not_supported(name));
        }
    }
    let kind = kind(&given.arn)?;
    let group_id = given.sqs_parameters.and_then(|parameters| parameters.message_group_id);
    if kind == Kind::Queue && given.arn.ends_with(".fifo") && group_id.is_none() {
        return Err(validation("SqsParameters.MessageGroupId is required for a FIFO queue."));
    }
    let event = given.event_bridge_parameters.map(|parameters| (parameters.source, parameters.detail_type));
    if kind == Kind::Bus && event.is_none() {
        return Err(validation("EventBridgeParameters is required for an event bus target."));
    }
    let needs_json = matches!(kind, Kind::Universal | Kind::Function | Kind::Bus);
    let is_json = |input: &String| serde_json::from_str::<Value>(input).is_ok();
    match &given.input {
        Some(input) if needs_json && !is_json(input) => {
            return Err(validation(format!(
                "Invalid RequestJson provided. Reason The JSON is malformed: {input}"
            )));
        }
        None if kind == Kind::Universal => {
            return Err(validation(
                "Invalid RequestJson provided. Reason A universal target needs an Input.",
            ));
        }
        _ => {}
    }
    let retry = given.retry_policy.unwrap_or_default();
    Ok(TargetRecord {
        arn: given.arn,
        role_arn: given.role_arn,
        input: given.input,
        group_id,
        event,
        retries: retry.maximum_retry_attempts.and_then(|retries| u32::try_from(retries).ok()),
        age_seconds: retry.maximum_event_age_in_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        dead_letter: given.dead_letter_config.and_then(|config| config.arn),
    })
}

/// A target as the API shows it.
pub(super) fn shown(target: TargetRecord) -> shapes::Target {
    shapes::Target {
        arn: target.arn,
        role_arn: target.role_arn,
        input: target.input,
        sqs_parameters: target.group_id.map(|group| shapes::SqsParameters { message_group_id: Some(group) }),
        event_bridge_parameters: target
            .event
            .map(|(source, detail_type)| shapes::EventBridgeParameters { source, detail_type }),
        retry_policy: Some(shapes::RetryPolicy {
            maximum_event_age_in_seconds: i32::try_from(target.age_seconds.unwrap_or(AGE_SECONDS_DEFAULT))
                .ok(),
            maximum_retry_attempts: i32::try_from(target.retries.unwrap_or(RETRIES_DEFAULT)).ok(),
        }),
        dead_letter_config: target.dead_letter.map(|arn| shapes::DeadLetterConfig { arn: Some(arn) }),
        ..Default::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Function,
    Queue,
    Topic,
    Bus,
    Universal,
}

fn kind(arn: &str) -> Result<Kind, Error> {
    let invalid = || validation(format!("Provided Arn is not in correct format. {arn}"));
    if arn.contains(UNIVERSAL) {
        let (service, action) = universal(arn).ok_or_else(invalid)?;
        if READ_ONLY.iter().any(|prefix| action.starts_with(prefix)) {
            return Err(validation(format!(
                "The action {action} of {service} is read-only and can be no target."
            )));
        }
        return match service {
            "lambda" | "sqs" | "sns" | "eventbridge" | "scheduler" | "iam" | "cloudwatchlogs" => {
                Ok(Kind::Universal)
            }
            _ => Err(not_supported(&format!("the universal target {service}:{action}"))),
        };
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, _, _, resource] = parts.as_slice() else { return Err(invalid()) };
    match *service {
        "lambda" if resource.starts_with("function:") => Ok(Kind::Function),
        "sqs" if !resource.is_empty() => Ok(Kind::Queue),
        "sns" if !resource.is_empty() => Ok(Kind::Topic),
        "events" if resource.starts_with("event-bus/") => Ok(Kind::Bus),
        "lambda" | "sqs" | "sns" | "events" => Err(invalid()),
        other => Err(not_supported(&format!("targets of the service {other}"))),
    }
}

/// The service and the action of a universal target.
pub fn universal(arn: &str) -> Option<(&str, &str)> {
    let (_, rest) = arn.split_once(UNIVERSAL)?;
    rest.split_once(':').filter(|(service, action)| !service.is_empty() && !action.is_empty())
}

/// The delivery of one firing.
pub(super) fn delivery(
    scope: &Scope,
    schedule_arn: &str,
    target: &TargetRecord,
    moment: Timestamp,
) -> Delivery {
    let id = Uuid::new_v4();
    let input = target.input.as_ref().map(|input| filled(input, schedule_arn, moment, id));
    let payload = match &target.event {
        Some((source, detail_type)) => {
            let detail: Value =
                input.and_then(|input| serde_json::from_str(&input).ok()).unwrap_or_else(|| json!({}));
            json!({ "source": source, "detail-type": detail_type, "detail": detail, "resources": [schedule_arn] })
                .to_string()
        }
        None => input.unwrap_or_else(|| default_event(scope, schedule_arn, moment, id)),
    };
    let attributes = BTreeMap::from([
        ("SCHEDULE_ARN".to_owned(), Attribute::string(schedule_arn)),
        ("TARGET_ARN".to_owned(), Attribute::string(&target.arn)),
        ("EXECUTION_ID".to_owned(), Attribute::string(id.to_string())),
        ("SCHEDULED_TIME".to_owned(), Attribute::string(time_shown(moment))),
        ("IS_PAYLOAD_TRUNCATED".to_owned(), Attribute::string("false")),
    ]);
    let letter = |arn: &String| DeadLetter {
        target: arn.clone(),
        details: json!(Message { attributes: attributes.clone(), ..Message::default() }),
        explained: true,
    };
    let sender = Sender::Role { arn: target.role_arn.clone(), source_arn: schedule_arn.to_owned() };
    let policy = match kind(&target.arn) {
        // A function has taken an event as soon as it is invoked; how often it then runs is its own affair.
        Ok(Kind::Function) => Policy::FUNCTIONS_OWN,
        _ => Policy {
            attempts_max: target.retries.unwrap_or(RETRIES_DEFAULT) + 1,
            age_seconds_max: target.age_seconds.unwrap_or(AGE_SECONDS_DEFAULT),
            backoff: Backoff::default(),
        },
    };
    let delivery = Delivery {
        id,
        policy,
        dead_letter: target.dead_letter.as_ref().map(letter),
        ..Delivery::new(target.arn.clone(), payload, sender)
    };
    match kind(&target.arn) {
        Ok(Kind::Queue | Kind::Topic) => {
            delivery.with(&Message { group_id: target.group_id.clone(), ..Message::default() })
        }
        _ => delivery,
    }
}

/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
fn filled(input: &str, schedule_arn: &str, moment: Timestamp, id: Uuid) -> String {
    input
        .replace("<aws.scheduler.schedule-arn>", schedule_arn)
        .replace("<aws.scheduler.scheduled-time>", &time_shown(moment))
        .replace("<aws.scheduler.execution-id>", &id.to_string())
        // Only the first attempt is rendered; later ones send the same.
        .replace("<aws.scheduler.attempt-number>", "1")
}

fn default_event(scope: &Scope, schedule_arn: &str, moment: Timestamp, id: Uuid) -> String {
    json!({
        "version": "0",
        "id": id,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": scope.account.as_str(),
        "time": time_shown(moment),
        "region": scope.region.as_str(),
        "resources": [schedule_arn],
        "detail": "{}",
    })
    .to_string()
}

fn time_shown(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.epoch_ms().div_euclid(1_000)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn universal_targets_name_a_service_and_an_action() {
        assert_eq!(universal("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"), Some(("sqs", "sendMessage")));
        assert_eq!(universal("arn:aws:sqs:us-east-1:000000000000:q"), None);
        assert_eq!(kind("arn:aws:scheduler:::aws-sdk:lambda:invoke"), Ok(Kind::Universal));
        assert!(
            kind("arn:aws:scheduler:::aws-sdk:ec2:stopInstances")
                .unwrap_err()
                .message
                .contains("ec2:stopInstances")
        );
    }

    #[test]
    fn what_only_reads_is_no_target() {
        for action in ["sqs:receiveMessage", "sqs:getQueueUrl", "lambda:listFunctions"] {
            let refused = kind(&format!("arn:aws:scheduler:::aws-sdk:{action}")).unwrap_err();
            assert!(refused.message.contains("read-only"), "{action}: {}", refused.message);
        }
    }

    #[test]
    fn inputs_know_when_and_why_they_are_sent() {
        let text = filled(
            r#"{"at":"<aws.scheduler.scheduled-time>","by":"<aws.scheduler.schedule-arn>"}"#,
            "arn:s",
            Timestamp(0),
            Uuid::nil(),
        );
        assert_eq!(text, r#"{"at":"1970-01-01T00:00:00Z","by":"arn:s"}"#);
    }

    #[test]
    fn a_function_without_input_gets_an_event() {
        let event: Value =
            serde_json::from_str(&default_event(&Scope::default(), "arn:s", Timestamp(0), Uuid::nil()))
                .unwrap();
        assert_eq!(
            (event["source"].as_str(), event["resources"][0].as_str()),
            (Some("aws.scheduler"), Some("arn:s"))
        );
    }
}
