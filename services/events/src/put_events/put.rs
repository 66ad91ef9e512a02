//! `PutEvents`, and events that others deliver to a bus.

use deliveries::{Answer, Parcel};
use serde_json::Value;
use wire::{Context, Error};

use super::entry::{self, Mistake};
use super::event::Event;
use super::send::accept_for_rules;
use crate::arn::BusRef;
use crate::error::{Refusal, not_supported, validation};
use crate::limits::ENTRIES_BYTES;
use crate::{Events, access, buses, shapes};

/// Accepts events. What is wrong with one does not keep the others back.
pub(crate) async fn put(
    events: Events,
    cx: Context,
    input: shapes::PutEventsRequest,
) -> Result<shapes::PutEventsResponse, Error> {
    if input.endpoint_id.is_some() {
        return Err(not_supported("global endpoints (EndpointId)"));
    }
    let bytes: usize = input.entries.iter().map(entry::bytes).sum();
    if bytes > ENTRIES_BYTES {
        return Err(validation("Total size of the entries in the request is over the limit."));
    }
    let now = events.now();
    let mut read = Vec::with_capacity(input.entries.len());
    for entry in &input.entries {
        let bus = BusRef::parse(&cx.scope, entry.event_bus_name.as_deref())?;
        // Of the account that sends it, wherever the bus is.
        read.push(entry::read(&cx.scope, entry, now).map(|event| (bus, event)));
    }
    let sender = events.clone();
    let outcomes = events
        .write(move |tx| {
            let mut outcomes = Vec::with_capacity(read.len());
            for entry in read {
                outcomes.push(match entry {
                    Err(mistake) => Err(mistake),
                    Ok((bus, event)) => accept(&sender, tx, &cx, &bus, &event)?,
                });
            }
            Ok::<_, Refusal>(outcomes)
        })
        .await?;
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    Ok(shapes::PutEventsResponse {
        failed_entry_count: i32::try_from(failed).ok(),
        entries: Some(outcomes.into_iter().map(shown).collect()),
    })
}

fn accept(
    events: &Events,
    tx: &mut store::Tx<'_>,
    cx: &Context,
    bus: &BusRef,
    event: &Event,
) -> Result<Result<String, Mistake>, Refusal> {
    match buses::find(tx, bus)? {
        Some(record) => {
            if let Err(error) = access::check(cx, bus, &record, "events:PutEvents") {
                return Ok(Err(Mistake { code: "NotAuthorizedException", message: error.message }));
            }
            accept_for_rules(events, tx, bus, event, &[])?;
        }
        // AWS takes events for buses that are not there, too, and no rule sees them.
        None => tracing::warn!(bus = bus.name, "an event was put on a bus that does not exist"),
    }
    Ok(Ok(event.id.to_string()))
}

fn shown(outcome: Result<String, Mistake>) -> shapes::PutEventsResultEntry {
    match outcome {
        Ok(id) => shapes::PutEventsResultEntry { event_id: Some(id), ..Default::default() },
        Err(mistake) => shapes::PutEventsResultEntry {
            event_id: None,
            error_code: Some(mistake.code.to_owned()),
            error_message: Some(mistake.message),
        },
    }
}

/// One attempt of the pipeline to put an event on a bus.
pub(crate) async fn put_delivery(events: &Events, parcel: Parcel) -> Answer {
    let bus = match BusRef::parse(&domain::Scope::default(), Some(&parcel.target)) {
        Ok(bus) => bus,
        Err(error) => return Answer::failed(error.to_string()),
    };
    let event = match read_delivery(events, &bus, &parcel) {
        Ok(event) => event,
        Err(why) => return Answer::failed(why),
    };
    let sender = events.clone();
    let put = events.write(move |tx| {
        let record = buses::expect(tx, &bus)?;
        access::check_sender(&parcel.sender, &bus, &record)?;
        accept_for_rules(&sender, tx, &bus, &event, &[])
    });
    match put.await {
        Ok(()) => Answer::delivered(),
        Err(error) if error.status(&shapes::SERVICE) < 500 => {
            let is_missing = error.code == "ResourceNotFoundException";
            Answer::failed(error.to_string()).coded(if is_missing { "NO_RESOURCE" } else { "NO_PERMISSIONS" })
        }
        Err(error) => Answer::retry(error.to_string()).coded("INTERNAL_ERROR"),
    }
}

/// A whole event, as another bus sends it, or the parts of one: `{source, detail-type, detail, resources}`.
fn read_delivery(events: &Events, bus: &BusRef, parcel: &Parcel) -> Result<Event, String> {
    let value: Value =
        serde_json::from_slice(&parcel.payload).map_err(|error| format!("the event is not JSON: {error}"))?;
    if value.get("id").is_some() {
        return Event::of_value(value, events.now()).ok_or_else(|| "this is not an event".to_owned());
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some(source), Some(detail_type)) = (text("source"), text("detail-type")) else {
        return Err("an event has a source and a detail-type".to_owned());
    };
    let resources: Vec<String> = value
        .get("resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    let detail = value.get("detail").cloned().unwrap_or_else(|| serde_json::json!({}));
    let content = super::event::Content { detail_type, source, resources: &resources, detail };
    Ok(Event::new(&bus.scope, parcel.accepted, events.now(), content))
}
