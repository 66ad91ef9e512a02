//! `ListTargetsByRule`

use wire::{Context, Error};

use crate::arn::BusRef;
use crate::error::no_rule;
use crate::record::{Input, RULES, TargetRecord};
use crate::{Events, buses, page, shapes};

/// A page of a rule's targets, in the order of their ids.
pub(crate) async fn list(
    events: Events,
    cx: Context,
    input: shapes::ListTargetsByRuleRequest,
) -> Result<shapes::ListTargetsByRuleResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let mut targets = events.read(|snapshot| {
        buses::expect(snapshot, &bus)?;
        let found = snapshot.get(&RULES, (&bus.scope, bus.name.as_str(), input.rule.as_str()))?;
        Ok(found.ok_or_else(|| no_rule(&input.rule, &bus.name))?.targets)
    })?;
    targets.sort_by(|one, other| one.id.cmp(&other.id));
    let shown = targets.into_iter().map(|target| (target.id.clone(), shown(target)));
    let (targets, next_token) = page::page(shown, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListTargetsByRuleResponse { targets: Some(targets), next_token })
}

fn shown(target: TargetRecord) -> shapes::Target {
    let retry = shapes::RetryPolicy {
        maximum_retry_attempts: target.retries.and_then(|retries| i32::try_from(retries).ok()),
        maximum_event_age_in_seconds: target.age_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
    };
    let has_retry = target.retries.is_some() || target.age_seconds.is_some();
    let mut shown = shapes::Target {
        id: target.id,
        arn: target.arn,
        role_arn: target.role_arn,
        sqs_parameters: target.group_id.map(|group| shapes::SqsParameters { message_group_id: Some(group) }),
        dead_letter_config: target.dead_letter.map(|arn| shapes::DeadLetterConfig { arn: Some(arn) }),
        retry_policy: has_retry.then_some(retry),
        ..Default::default()
    };
    match target.input {
        Input::Event => {}
        Input::Constant(text) => shown.input = Some(text),
        Input::Path(path) => shown.input_path = Some(path),
        Input::Template { paths, template } => {
            shown.input_transformer =
                Some(shapes::InputTransformer { input_paths_map: Some(paths), input_template: template });
        }
    }
    shown
}
