//! `DeleteRule`

use wire::{Context, Error, Unit};

use crate::arn::BusRef;
use crate::error::{Refusal, validation};
use crate::record::RULES;
use crate::{Events, buses, shapes};

/// Deletes a rule without targets. One that is not there is no mistake.
pub(crate) async fn delete(
    events: Events,
    cx: Context,
    input: shapes::DeleteRuleRequest,
) -> Result<Unit, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    events
        .change_rule(bus, input.name, move |tx, bus, name| {
            buses::expect(tx, bus)?;
            let key = (&bus.scope, bus.name.as_str(), name);
            let Some(record) = tx.get(&RULES, key)? else { return Ok(()) };
            if !record.targets.is_empty() {
                return Err(validation("Rule can't be deleted since it has targets.").into());
            }
            tx.delete(&RULES, key)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(Unit::default())
}
