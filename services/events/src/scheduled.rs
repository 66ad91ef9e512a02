//! Rules with a schedule: one task waits for the next that is due.
//!
//! That a rule fired is stored in the transaction that accepts its deliveries, so none fires twice. What was due while
//! the server was down fires once at its start, however often it was due.

use domain::{Scope, Timestamp};
use schedule::{Schedule, Zone};
use store::{Scan, Snapshot, Tx};

use crate::Events;
use crate::arn::rule_arn;
use crate::error::Refusal;
use crate::put_events::{Event, send_to_targets};
use crate::record::{RULES, RuleRecord};

/// A rule's alarm.
pub(crate) type Name = (Scope, String, String);

/// Sets the alarm of every rule.
pub(crate) fn set_all(events: &Events, snapshot: &Snapshot<'_>) -> Result<(), store::Error> {
    for (name, record) in snapshot.scan(&RULES, &Scan::all())? {
        set(events, name, &record);
    }
    Ok(())
}

/// Sets the alarm of one rule anew.
pub(crate) fn set_one(events: &Events, snapshot: &Snapshot<'_>, name: Name) -> Result<(), store::Error> {
    let found = snapshot.get(&RULES, name.clone())?;
    events.alarms.set(name, found.as_ref().and_then(due));
    Ok(())
}

fn set(events: &Events, name: Name, record: &RuleRecord) {
    events.alarms.set(name, due(record));
}

/// When a rule is due next.
fn due(record: &RuleRecord) -> Option<Timestamp> {
    let schedule = record.schedule.as_deref().filter(|_| record.enabled)?;
    let schedule = Schedule::parse(schedule).ok()?;
    schedule.next(record.fired.unwrap_or(record.since), record.since, &Zone::UTC)
}

/// Fires rules as they come due, for ever.
pub(crate) async fn run(events: Events) {
    loop {
        let (name, _, _due) = events.alarms.next().await;
        let (sender, rule) = (events.clone(), name.clone());
        let fired = events.write(move |tx| fire(&sender, tx, &rule)).await;
        match fired {
            Ok(next) => events.alarms.set(name, next),
            Err(error) => {
                tracing::error!(rule = name.2, %error, "a scheduled rule could not fire; it is tried again");
                let again = events.now().plus(std::time::Duration::from_secs(1));
                events.alarms.set(name, Some(again));
            }
        }
    }
}

/// Sends the event of the latest moment that was due, and says when the rule is due next.
fn fire(events: &Events, tx: &mut Tx<'_>, (scope, bus, rule): &Name) -> Result<Option<Timestamp>, Refusal> {
    let key = (scope, bus.as_str(), rule.as_str());
    // Deleted or changed since the alarm was set: what is stored decides.
    let Some(mut record) = tx.get(&RULES, key)? else { return Ok(None) };
    let now = events.now();
    let Some(mut moment) = due(&record).filter(|moment| *moment <= now) else { return Ok(due(&record)) };
    while let Some(later) =
        due(&RuleRecord { fired: Some(moment), ..record.clone() }).filter(|later| *later <= now)
    {
        moment = later;
    }
    record.fired = Some(moment);
    tx.put(&RULES, key, &record)?;
    let arn = rule_arn(scope, bus, rule);
    let event = Event::scheduled(scope, &arn, moment);
    send_to_targets(events, tx, &arn, rule, &record.targets, &event)?;
    Ok(due(&record))
}
