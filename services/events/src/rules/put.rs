//! `PutRule`

use store::Scan;
use wire::{Context, Error};

use crate::arn::{BusRef, rule_arn};
use crate::error::{Refusal, bad_pattern, limit, validation};
use crate::limits;
use crate::record::{DEFAULT_BUS, RULES, RuleRecord};
use crate::{Events, buses, shapes, tags};

/// Makes a rule, or replaces what it says. Its targets stay, and so do the tags of one that is there.
pub(crate) async fn put(
    events: Events,
    cx: Context,
    input: shapes::PutRuleRequest,
) -> Result<shapes::PutRuleResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let pattern = input.event_pattern.filter(|pattern| !pattern.is_empty());
    let schedule = input.schedule_expression.filter(|schedule| !schedule.is_empty());
    check(pattern.as_deref(), schedule.as_deref(), &bus.name)?;
    let now = events.now();
    let record = RuleRecord {
        pattern,
        schedule,
        enabled: match input.state {
            None | Some(shapes::RuleState::Enabled) => true,
            Some(shapes::RuleState::Disabled) => false,
            Some(shapes::RuleState::EnabledWithAllCloudtrailManagementEvents) => {
                return Err(crate::error::not_supported("CloudTrail management events"));
            }
        },
        description: input.description,
        role_arn: input.role_arn,
        tags: tags::of_new(input.tags)?,
        targets: Vec::new(),
        created_by: cx.principal.account().to_string(),
        since: now,
        fired: None,
    };
    let name = input.name;
    let arn = rule_arn(&bus.scope, &bus.name, &name);
    events
        .change_rule(bus, name, move |tx, bus, name| {
            buses::expect(tx, bus)?;
            let key = (&bus.scope, bus.name.as_str(), name);
            let record = match tx.get(&RULES, key)? {
                Some(before) => merged(before, record),
                None => {
                    if tx.count(&RULES, &Scan::prefix((&bus.scope, bus.name.as_str())))? >= limits::RULES {
                        return Err(
                            limit("The requested resource exceeds the maximum number allowed.").into()
                        );
                    }
                    record
                }
            };
            tx.put(&RULES, key, &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::PutRuleResponse { rule_arn: Some(arn) })
}

fn merged(before: RuleRecord, new: RuleRecord) -> RuleRecord {
    // A schedule that stays as it was goes on as it was.
    let same = before.schedule == new.schedule && before.enabled == new.enabled;
    RuleRecord {
        tags: if before.tags.is_empty() { new.tags } else { before.tags },
        targets: before.targets,
        created_by: before.created_by,
        since: if same { before.since } else { new.since },
        fired: before.fired.filter(|_| same),
        ..new
    }
}

fn check(pattern: Option<&str>, schedule: Option<&str>, bus: &str) -> Result<(), Error> {
    if pattern.is_none() && schedule.is_none() {
        return Err(validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if let Some(pattern) = pattern {
        pattern::Pattern::parse(pattern).map_err(|error| bad_pattern(&error))?;
    }
    if let Some(schedule) = schedule {
        let read = schedule::Schedule::parse(schedule);
        if !read.is_ok_and(|schedule| !matches!(schedule, schedule::Schedule::At(_))) {
            return Err(validation("Parameter ScheduleExpression is not valid."));
        }
        if bus != DEFAULT_BUS {
            return Err(validation("ScheduleExpression is supported only on the default event bus."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_a_pattern_or_a_schedule() {
        let message = |pattern, schedule, bus| check(pattern, schedule, bus).map_err(|error| error.message);
        assert_eq!(message(Some(r#"{"source":["a"]}"#), None, "b"), Ok(()));
        assert_eq!(message(None, Some("rate(5 minutes)"), "default"), Ok(()));
        assert!(message(None, None, "default").unwrap_err().contains("must be specified"));
        assert!(
            message(Some("{"), None, "default")
                .unwrap_err()
                .starts_with("Event pattern is not valid. Reason: ")
        );
        for wrong in ["rate(1 minutes)", "at(2030-01-01T00:00:00)", "soon"] {
            assert_eq!(
                message(None, Some(wrong), "default").unwrap_err(),
                "Parameter ScheduleExpression is not valid."
            );
        }
        assert!(
            message(None, Some("rate(1 minute)"), "b").unwrap_err().contains("only on the default event bus")
        );
    }
}
