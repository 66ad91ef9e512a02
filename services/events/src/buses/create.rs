//! `CreateEventBus`

use store::Scan;
use wire::{Context, Error};

use crate::arn::{BusRef, bus_arn};
use crate::error::{Refusal, exists, limit, not_supported, validation};
use crate::limits;
use crate::record::{BUSES, BusRecord, DEFAULT_BUS};
use crate::{Events, shapes, tags};

/// Makes a bus of the caller's own.
pub(crate) async fn create(
    events: Events,
    cx: Context,
    input: shapes::CreateEventBusRequest,
) -> Result<shapes::CreateEventBusResponse, Error> {
    if input.event_source_name.is_some() || input.name.starts_with("aws.partner/") {
        return Err(not_supported("partner event sources"));
    }
    super::refuse_unsupported(
        input.kms_key_identifier.as_deref(),
        input.dead_letter_config.as_ref(),
        input.log_config.as_ref(),
    )?;
    if input.name.contains('/') {
        return Err(validation("Event bus name must not contain '/'."));
    }
    let now = events.now();
    let record = BusRecord {
        description: input.description.clone(),
        policy: None,
        tags: tags::of_new(input.tags)?,
        created: now,
        modified: now,
    };
    let bus = BusRef { scope: cx.scope, name: input.name };
    let arn = bus_arn(&bus.scope, &bus.name);
    events
        .write(move |tx| {
            if bus.name == DEFAULT_BUS || tx.contains(&BUSES, (&bus.scope, bus.name.as_str()))? {
                return Err(exists(format!("Event bus {} already exists.", bus.name)).into());
            }
            if tx.count(&BUSES, &Scan::prefix((&bus.scope,)))? >= limits::BUSES {
                return Err(limit("The requested resource exceeds the maximum number allowed.").into());
            }
            tx.put(&BUSES, (&bus.scope, bus.name.as_str()), &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::CreateEventBusResponse {
        event_bus_arn: Some(arn),
        description: input.description,
        ..Default::default()
    })
}
