//! `PutTargets`

use wire::{Context, Error};

use super::check;
use crate::arn::BusRef;
use crate::error::{Refusal, limit, no_rule, validation};
use crate::limits::TARGETS;
use crate::record::RULES;
use crate::{Events, buses, shapes};

/// Adds targets to a rule, or replaces those that are there by their ids.
pub(crate) async fn put(
    events: Events,
    cx: Context,
    input: shapes::PutTargetsRequest,
) -> Result<shapes::PutTargetsResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let targets = input.targets.into_iter().map(check::read).collect::<Result<Vec<_>, _>>()?;
    for (index, target) in targets.iter().enumerate() {
        if targets[..index].iter().any(|other| other.id == target.id) {
            return Err(validation("Duplicate target ids are not allowed."));
        }
        if target.arn == bus.arn() {
            return Err(validation(format!("Target {} is the event bus of its own rule.", target.id)));
        }
    }
    events
        .change_rule(bus, input.rule, move |tx, bus, rule| {
            buses::expect(tx, bus)?;
            let key = (&bus.scope, bus.name.as_str(), rule);
            let mut record = tx.get(&RULES, key)?.ok_or_else(|| no_rule(rule, &bus.name))?;
            for target in targets {
                match record.targets.iter_mut().find(|there| there.id == target.id) {
                    Some(there) => *there = target,
                    None => record.targets.push(target),
                }
            }
            if record.targets.len() > TARGETS {
                return Err(limit("The requested resource exceeds the maximum number allowed.").into());
            }
            tx.put(&RULES, key, &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::PutTargetsResponse { failed_entry_count: Some(0), failed_entries: Some(Vec::new()) })
}
