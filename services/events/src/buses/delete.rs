//! `DeleteEventBus`

use store::Scan;
use wire::{Context, Error, Unit};

use crate::error::{Refusal, validation};
use crate::record::{BUSES, DEFAULT_BUS, RULES};
use crate::{Events, shapes};

/// Deletes a bus that has no rules. One that is not there is no mistake.
pub(crate) async fn delete(
    events: Events,
    cx: Context,
    input: shapes::DeleteEventBusRequest,
) -> Result<Unit, Error> {
    if input.name == DEFAULT_BUS {
        return Err(validation("Cannot delete event bus default."));
    }
    events
        .write(move |tx| {
            let rules = tx.keys(&RULES, &Scan::prefix((&cx.scope, input.name.as_str())).limit(1))?;
            if !rules.is_empty() {
                return Err(validation("Event bus can't be deleted since it has rules.").into());
            }
            tx.delete(&BUSES, (&cx.scope, input.name.as_str()))?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(Unit::default())
}
