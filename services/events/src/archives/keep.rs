//! Keeping events: every archive of a bus takes those that it wants, in the transaction that accepts them.

use std::ops::ControlFlow;
use std::time::Duration;

use domain::Timestamp;
use pattern::Pattern;
use store::{Scan, Tx};

use crate::arn::BusRef;
use crate::put_events::Event;
use crate::record::{ARCHIVED, ARCHIVES, ArchiveRecord};

/// How many expired events one new event removes at most: more than it adds.
const REMOVED_AT_ONCE: usize = 16;
const DAY: Duration = Duration::from_secs(86_400);
/// What replayed events carry.
const REPLAY_NAME: &str = "replay-name";

/// Keeps an event in the bus's archives.
pub(crate) fn keep(tx: &mut Tx<'_>, bus: &BusRef, event: &Event) -> Result<(), store::Error> {
    // A replayed event is in its archive already.
    if event.value.get(REPLAY_NAME).is_some() {
        return Ok(());
    }
    for ((scope, name), mut archive) in tx.scan(&ARCHIVES, &Scan::prefix((&bus.scope,)))? {
        if archive.bus != bus.name || !wants(&archive, event) {
            continue;
        }
        let text = event.value.to_string();
        archive.events += 1;
        archive.bytes += text.len() as u64;
        let key = (scope.clone(), name.clone(), event.ingested.0, event.id.to_string());
        tx.put(&ARCHIVED, key, &text)?;
        remove_expired(tx, &mut archive, &scope, &name, event.ingested)?;
        tx.put(&ARCHIVES, (&scope, name.as_str()), &archive)?;
    }
    Ok(())
}

fn wants(archive: &ArchiveRecord, event: &Event) -> bool {
    let Some(pattern) = &archive.pattern else { return true };
    Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(&event.value))
}

fn remove_expired(
    tx: &mut Tx<'_>,
    archive: &mut ArchiveRecord,
    scope: &domain::Scope,
    name: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    if archive.retention_days == 0 {
        return Ok(());
    }
    let oldest = now.0 - i64::try_from((DAY * archive.retention_days).as_millis()).unwrap_or(i64::MAX);
    let mut expired = Vec::new();
    tx.visit(&ARCHIVED, &Scan::prefix((scope, name)).limit(REMOVED_AT_ONCE), |key, text| {
        if key.2 >= oldest {
            return ControlFlow::Break(());
        }
        expired.push((key, text.len() as u64));
        ControlFlow::Continue(())
    })?;
    for (key, bytes) in expired {
        tx.delete(&ARCHIVED, key)?;
        archive.events = archive.events.saturating_sub(1);
        archive.bytes = archive.bytes.saturating_sub(bytes);
    }
    Ok(())
}
