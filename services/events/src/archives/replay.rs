//! Running a replay: slice by slice, each with how far it came, so that a restart goes on where it was.

use std::ops::ControlFlow;

use domain::Scope;
use serde_json::{Value, json};
use store::{Scan, Tx};

use crate::Events;
use crate::arn::BusRef;
use crate::error::Refusal;
use crate::put_events::{Event, accept_for_rules};
use crate::record::{ARCHIVED, REPLAYS, ReplayRecord, ReplayState};

/// Events of one transaction.
const SLICE: usize = 100;

/// Runs a replay to its end.
pub(crate) async fn run(events: Events, scope: Scope, name: String) {
    let _busy = events.time.busy();
    loop {
        let (sender, scope, replay) = (events.clone(), scope.clone(), name.clone());
        match events.write(move |tx| slice(&sender, tx, &scope, &replay)).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(replay = name, %error, "a replay stopped; it goes on at the next start");
                return;
            }
        }
    }
}

/// Sends the next events; whether there may be more.
fn slice(events: &Events, tx: &mut Tx<'_>, scope: &Scope, name: &str) -> Result<bool, Refusal> {
    let Some(mut record) = tx.get(&REPLAYS, (scope, name))? else { return Ok(false) };
    if record.state != ReplayState::Running {
        return Ok(false);
    }
    let found = next(tx, scope, &record)?;
    let more = found.len() == SLICE;
    let bus = BusRef { scope: scope.clone(), name: record.bus.clone() };
    for (at, id, text) in found {
        let value: Option<Value> = serde_json::from_str(&text).ok();
        let event = value.and_then(|mut value| {
            value["replay-name"] = json!(name);
            Event::of_value(value, events.now())
        });
        if let Some(event) = event {
            accept_for_rules(events, tx, &bus, &event, &record.rules)?;
        }
        record.last = Some((at, id));
    }
    if !more {
        record.state = ReplayState::Completed;
        record.ended = Some(events.now());
    }
    tx.put(&REPLAYS, (scope, name), &record)?;
    Ok(more)
}

fn next(
    tx: &Tx<'_>,
    scope: &Scope,
    record: &ReplayRecord,
) -> Result<Vec<(i64, String, String)>, store::Error> {
    let archive = record.archive.as_str();
    let scan = Scan::prefix((scope, archive)).at_least((scope, archive, record.from.0)).limit(SLICE);
    let scan = match &record.last {
        Some((at, id)) => scan.after((scope, archive, *at, id.as_str())),
        None => scan,
    };
    let mut found = Vec::new();
    tx.visit(&ARCHIVED, &scan, |(_, _, at, id), text| {
        if at >= record.until.0 {
            return ControlFlow::Break(());
        }
        found.push((at, id, text));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
