//! `UpdateEventBus`

use wire::{Context, Error};

use crate::arn::BusRef;
use crate::error::Refusal;
use crate::record::BUSES;
use crate::{Events, shapes};

/// Changes what is said of a bus.
pub(crate) async fn update(
    events: Events,
    cx: Context,
    input: shapes::UpdateEventBusRequest,
) -> Result<shapes::UpdateEventBusResponse, Error> {
    super::refuse_unsupported(
        input.kms_key_identifier.as_deref(),
        input.dead_letter_config.as_ref(),
        input.log_config.as_ref(),
    )?;
    let bus = BusRef::parse(&cx.scope, input.name.as_deref())?;
    let (arn, name) = (bus.arn(), bus.name.clone());
    let now = events.now();
    let description = input.description;
    let record = events
        .write(move |tx| {
            let mut record = super::expect(tx, &bus)?;
            record.description = description;
            record.modified = now;
            tx.put(&BUSES, (&bus.scope, bus.name.as_str()), &record)?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    Ok(shapes::UpdateEventBusResponse {
        arn: Some(arn),
        name: Some(name),
        description: record.description,
        ..Default::default()
    })
}
