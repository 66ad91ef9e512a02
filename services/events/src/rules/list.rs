//! `ListRules` and `ListRuleNamesByTarget`

use store::Scan;
use wire::{Context, Error};

use super::describe::state;
use crate::arn::{BusRef, rule_arn};
use crate::record::{RULES, RuleRecord};
use crate::{Events, buses, page, shapes};

/// A page of a bus's rules.
pub(crate) async fn list(
    events: Events,
    cx: Context,
    input: shapes::ListRulesRequest,
) -> Result<shapes::ListRulesResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let prefix = input.name_prefix.unwrap_or_default();
    let rules = of_bus(&events, &bus)?.into_iter().filter(|(name, _)| name.starts_with(&prefix));
    let shown = rules.map(|(name, record)| (name.clone(), shown(&bus, name, record)));
    let (rules, next_token) = page::page(shown, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListRulesResponse { rules: Some(rules), next_token })
}

/// A page of the names of the rules that have a target.
pub(crate) async fn list_names_by_target(
    events: Events,
    cx: Context,
    input: shapes::ListRuleNamesByTargetRequest,
) -> Result<shapes::ListRuleNamesByTargetResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let rules = of_bus(&events, &bus)?.into_iter();
    let having = rules
        .filter(|(_, record)| record.targets.iter().any(|target| target.arn == input.target_arn))
        .map(|(name, _)| (name.clone(), name));
    let (names, next_token) = page::page(having, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListRuleNamesByTargetResponse { rule_names: Some(names), next_token })
}

fn of_bus(events: &Events, bus: &BusRef) -> Result<Vec<(String, RuleRecord)>, Error> {
    events.read(|snapshot| {
        buses::expect(snapshot, bus)?;
        let rules = snapshot.scan(&RULES, &Scan::prefix((&bus.scope, bus.name.as_str())))?;
        Ok(rules.into_iter().map(|((_, _, name), record)| (name, record)).collect())
    })
}

fn shown(bus: &BusRef, name: String, record: RuleRecord) -> shapes::Rule {
    shapes::Rule {
        arn: Some(rule_arn(&bus.scope, &bus.name, &name)),
        name: Some(name),
        event_pattern: record.pattern,
        schedule_expression: record.schedule,
        state: Some(state(record.enabled)),
        description: record.description,
        role_arn: record.role_arn,
        managed_by: None,
        event_bus_name: Some(bus.name.clone()),
    }
}
