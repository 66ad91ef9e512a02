//! `RemoveTargets`

use wire::{Context, Error};

use crate::arn::BusRef;
use crate::error::{Refusal, no_rule};
use crate::record::RULES;
use crate::{Events, buses, shapes};

/// Takes targets from a rule. An id that is not there is told, and fails nothing else.
pub(crate) async fn remove(
    events: Events,
    cx: Context,
    input: shapes::RemoveTargetsRequest,
) -> Result<shapes::RemoveTargetsResponse, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let failed = events
        .change_rule(bus, input.rule, move |tx, bus, rule| {
            buses::expect(tx, bus)?;
            let key = (&bus.scope, bus.name.as_str(), rule);
            let mut record = tx.get(&RULES, key)?.ok_or_else(|| no_rule(rule, &bus.name))?;
            let unknown =
                input.ids.iter().filter(|id| record.targets.iter().all(|target| target.id != **id)).cloned();
            let failed: Vec<String> = unknown.collect();
            record.targets.retain(|target| !input.ids.contains(&target.id));
            tx.put(&RULES, key, &record)?;
            Ok::<_, Refusal>(failed)
        })
        .await?;
    let entry = |id: String| shapes::RemoveTargetsResultEntry {
        error_message: Some(format!("Rule does not have a target with id {id}.")),
        error_code: Some("ResourceNotFoundException".to_owned()),
        target_id: Some(id),
    };
    Ok(shapes::RemoveTargetsResponse {
        failed_entry_count: i32::try_from(failed.len()).ok(),
        failed_entries: Some(failed.into_iter().map(entry).collect()),
    })
}
