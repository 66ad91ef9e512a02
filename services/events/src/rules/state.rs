//! `EnableRule` and `DisableRule`

use wire::{Context, Error, Unit};

use crate::arn::BusRef;
use crate::error::{Refusal, no_rule};
use crate::record::RULES;
use crate::{Events, buses, shapes};

/// `EnableRule`
pub(crate) async fn enable(
    events: Events,
    cx: Context,
    input: shapes::EnableRuleRequest,
) -> Result<Unit, Error> {
    set(events, cx, input.name, input.event_bus_name, true).await
}

/// `DisableRule`
pub(crate) async fn disable(
    events: Events,
    cx: Context,
    input: shapes::DisableRuleRequest,
) -> Result<Unit, Error> {
    set(events, cx, input.name, input.event_bus_name, false).await
}

async fn set(
    events: Events,
    cx: Context,
    name: String,
    bus: Option<String>,
    enabled: bool,
) -> Result<Unit, Error> {
    let bus = BusRef::parse(&cx.scope, bus.as_deref())?;
    let now = events.now();
    events
        .change_rule(bus, name, move |tx, bus, name| {
            buses::expect(tx, bus)?;
            let key = (&bus.scope, bus.name.as_str(), name);
            let mut record = tx.get(&RULES, key)?.ok_or_else(|| no_rule(name, &bus.name))?;
            if record.enabled != enabled {
                record.enabled = enabled;
                // What would have been due meanwhile is not made up for.
                record.since = now;
                record.fired = None;
                tx.put(&RULES, key, &record)?;
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(Unit::default())
}
