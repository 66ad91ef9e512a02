//! `DescribeRule`

use wire::{Context, Error};

use crate::arn::{BusRef, rule_arn};
use crate::error::no_rule;
use crate::record::RULES;
use crate::{Events, buses, shapes};

/// What is known of a rule, without its targets.
pub(crate) async fn describe(
    events: Events,
    cx: Context,
    input: shapes::DescribeRuleRequest,
) -> Result<shapes::DescribeRuleResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let record = events.read(|snapshot| {
        buses::expect(snapshot, &bus)?;
        let found = snapshot.get(&RULES, (&bus.scope, bus.name.as_str(), input.name.as_str()))?;
        Ok(found.ok_or_else(|| no_rule(&input.name, &bus.name))?)
    })?;
    Ok(shapes::DescribeRuleResponse {
        arn: Some(rule_arn(&bus.scope, &bus.name, &input.name)),
        name: Some(input.name),
        event_pattern: record.pattern,
        schedule_expression: record.schedule,
        state: Some(state(record.enabled)),
        description: record.description,
        role_arn: record.role_arn,
        event_bus_name: Some(bus.name),
        created_by: Some(record.created_by),
        ..Default::default()
    })
}

pub(super) fn state(enabled: bool) -> shapes::RuleState {
    if enabled { shapes::RuleState::Enabled } else { shapes::RuleState::Disabled }
}
