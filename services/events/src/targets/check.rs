//! What may be a target, and what of it is kept.

use std::ops::RangeInclusive;

use wire::Error;

use crate::error::{not_supported, validation};
use crate::limits::INPUT_PATHS;
use crate::put_events::{JsonPath, check_template};
use crate::record::{Input, TargetRecord};
use crate::shapes;

/// `MaximumRetryAttempts` and `MaximumEventAgeInSeconds`.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>
const RETRIES: RangeInclusive<i32> = 0..=185;
const AGE_SECONDS: RangeInclusive<i32> = 60..=86_400;

/// Reads a target.
pub(super) fn read(given: shapes::Target) -> Result<TargetRecord, Error> {
    refuse_unsupported(&given)?;
    let kind = kind(&given.arn)?;
    let group_id = given.sqs_parameters.as_ref().and_then(|parameters| parameters.message_group_id.clone());
    let is_fifo = kind == "sqs" && given.arn.ends_with(".fifo");
    if is_fifo && group_id.is_none() {
        return Err(validation(format!(
            "Parameter(s) SqsParameters must be specified for target: {}.",
            given.id
        )));
    }
    if kind != "sqs" && given.sqs_parameters.is_some() {
        return Err(validation(format!(
            "Parameter(s) SqsParameters must not be specified for target: {}.",
            given.id
        )));
    }
    let retry = given.retry_policy.unwrap_or_default();
    let in_range = |name: &str, value: Option<i32>, range: &RangeInclusive<i32>| match value {
        Some(value) if !range.contains(&value) => Err(validation(format!(
            "Parameter {name} is not valid. It must be between {} and {}.",
            range.start(),
            range.end()
        ))),
        other => Ok(other.and_then(|value| u32::try_from(value).ok())),
    };
    let dead_letter = given.dead_letter_config.and_then(|config| config.arn);
    if let Some(arn) = &dead_letter
        && self::kind(arn).ok() != Some("sqs")
    {
        return Err(validation(
            "Parameter DeadLetterConfig.Arn is not valid. It must be the ARN of an SQS queue.",
        ));
    }
    Ok(TargetRecord {
        input: input(&given.id, given.input, given.input_path, given.input_transformer)?,
        id: given.id,
        arn: given.arn,
        role_arn: given.role_arn,
        group_id,
        retries: in_range("MaximumRetryAttempts", retry.maximum_retry_attempts, &RETRIES)?,
        age_seconds: in_range("MaximumEventAgeInSeconds", retry.maximum_event_age_in_seconds, &AGE_SECONDS)?
            .map(u64::from),
        dead_letter,
    })
}

/// What kind of target an ARN names, of those that are here.
fn kind(arn: &str) -> Result<&str, Error> {
    let invalid =
        |target: &str, reason: &str| validation(format!("Parameter {target} is not valid. Reason: {reason}"));
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, _, _, resource] = parts.as_slice() else {
        return Err(invalid(arn, "Provided Arn is not in correct format."));
    };
    if !partition.starts_with("aws") || resource.is_empty() {
        return Err(invalid(arn, "Provided Arn is not in correct format."));
    }
    let fits = match *service {
        "lambda" => resource.starts_with("function:"),
        "sqs" | "sns" => true,
        "logs" => resource.starts_with("log-group:"),
        "events" if resource.starts_with("api-destination/") => {
            return Err(not_supported("API destinations"));
        }
        "events" => resource.starts_with("event-bus/"),
        other => return Err(not_supported(&format!("targets of the service {other}"))),
    };
    if fits { Ok(service) } else { Err(invalid(arn, "Provided Arn is not in correct format.")) }
}

fn input(
    id: &str,
    constant: Option<String>,
    path: Option<String>,
    transformer: Option<shapes::InputTransformer>,
) -> Result<Input, Error> {
    match (constant, path, transformer) {
        (None, None, None) => Ok(Input::Event),
        (Some(text), None, None) => match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(Input::Constant(text)),
            Err(_) => Err(validation(format!("JSON syntax error in input for target {id}."))),
        },
        (None, Some(path), None) => {
            JsonPath::parse(&path)
                .ok_or_else(|| validation(format!("Invalid InputPath for target {id}.")))?;
            Ok(Input::Path(path))
        }
        (None, None, Some(transformer)) => {
            let paths = transformer.input_paths_map.unwrap_or_default();
            if paths.len() > INPUT_PATHS {
                return Err(validation(format!(
                    "InputPathsMap for target {id} has more than {INPUT_PATHS} keys."
                )));
            }
            for (name, path) in &paths {
                if name.starts_with("AWS") || JsonPath::parse(path).is_none() {
                    return Err(validation(format!("InputPath for target {id} is invalid.")));
                }
            }
            check_template(&transformer.input_template, &paths)
                .map_err(|why| validation(format!("Invalid InputTemplate for target {id} : {why}")))?;
            Ok(Input::Template { paths, template: transformer.input_template })
        }
        _ => Err(validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        ))),
    }
}

fn refuse_unsupported(given: &shapes::Target) -> Result<(), Error> {
    for (name, is_there) in [
        ("KinesisParameters", given.kinesis_parameters.is_some()),
        ("RunCommandParameters", given.run_command_parameters.is_some()),
        ("EcsParameters", given.ecs_parameters.is_some()),
        ("BatchParameters", given.batch_parameters.is_some()),
        ("HttpParameters", given.http_parameters.is_some()),
        ("RedshiftDataParameters", given.redshift_data_parameters.is_some()),
        ("SageMakerPipelineParameters", given.sage_maker_pipeline_parameters.is_some()),
        ("AppSyncParameters", given.app_sync_parameters.is_some()),
    ] {
        if is_there {
            return Err(not_supported(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(arn: &str) -> shapes::Target {
        shapes::Target { id: "t".to_owned(), arn: arn.to_owned(), ..Default::default() }
    }

    fn message(given: shapes::Target) -> String {
        read(given).unwrap_err().message
    }

    #[test]
    fn targets_are_what_is_here() {
        for arn in [
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:us-east-1:000000000000:t",
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/x",
            "arn:aws:events:us-east-1:000000000000:event-bus/other",
        ] {
            assert_eq!(read(target(arn)).unwrap().arn, arn);
        }
        assert!(message(target("nonsense")).contains("Provided Arn is not in correct format"));
        assert!(
            message(target("arn:aws:kinesis:us-east-1:000000000000:stream/s"))
                .contains("the service kinesis")
        );
        assert!(
            message(target("arn:aws:states:us-east-1:000000000000:stateMachine:s"))
                .contains("the service states")
        );
    }

    #[test]
    fn a_fifo_queue_wants_a_group() {
        let fifo = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        assert!(message(target(fifo)).starts_with("Parameter(s) SqsParameters must be specified"));
        let group = shapes::SqsParameters { message_group_id: Some("g".to_owned()) };
        let given = shapes::Target { sqs_parameters: Some(group), ..target(fifo) };
        assert_eq!(read(given).unwrap().group_id.as_deref(), Some("g"));
    }

    #[test]
    fn a_target_gets_one_kind_of_input() {
        let of = |input: Option<&str>, path: Option<&str>| shapes::Target {
            input: input.map(str::to_owned),
            input_path: path.map(str::to_owned),
            ..target("arn:aws:sqs:us-east-1:000000000000:q")
        };
        assert_eq!(read(of(Some("{}"), None)).unwrap().input, Input::Constant("{}".to_owned()));
        assert_eq!(read(of(None, Some("$.detail"))).unwrap().input, Input::Path("$.detail".to_owned()));
        assert!(message(of(Some("{"), None)).starts_with("JSON syntax error in input"));
        assert!(message(of(None, Some("detail"))).contains("InputPath"));
        assert!(message(of(Some("{}"), Some("$"))).starts_with("Only one of"));
    }
}
