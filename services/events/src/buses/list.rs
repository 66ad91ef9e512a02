//! `ListEventBuses`

use std::collections::BTreeMap;

use store::Scan;
use wire::{Context, Error};

use crate::arn::{BusRef, bus_arn};
use crate::record::{BUSES, BusRecord, DEFAULT_BUS};
use crate::{Events, page, shapes};

/// A page of buses, in the order of their names.
pub(crate) async fn list(
    events: Events,
    cx: Context,
    input: shapes::ListEventBusesRequest,
) -> Result<shapes::ListEventBusesResponse, Error> {
    let mut all: BTreeMap<String, BusRecord> = events.read(|snapshot| {
        let stored = snapshot.scan(&BUSES, &Scan::prefix((&cx.scope,)))?;
        Ok(stored.into_iter().map(|((_, name), record)| (name, record)).collect())
    })?;
    if !all.contains_key(DEFAULT_BUS) {
        let default = BusRef { scope: cx.scope.clone(), name: DEFAULT_BUS.to_owned() };
        let record = events.read(|snapshot| super::expect(snapshot, &default))?;
        all.insert(DEFAULT_BUS.to_owned(), record);
    }
    let prefix = input.name_prefix.unwrap_or_default();
    let shown = all.into_iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(name, record)| {
        let known = record.created.0 > 0;
        let bus = shapes::EventBus {
            arn: Some(bus_arn(&cx.scope, &name)),
            name: Some(name.clone()),
            description: record.description,
            policy: record.policy.map(|policy| policy.to_string()),
            creation_time: known.then_some(record.created),
            last_modified_time: known.then_some(record.modified),
            managed_by: None,
        };
        (name, bus)
    });
    let (buses, next_token) = page::page(shown, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListEventBusesResponse { event_buses: Some(buses), next_token })
}
