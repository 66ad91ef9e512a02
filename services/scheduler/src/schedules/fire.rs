//! Firing schedules: one task waits for the next that is due.
//!
//! That a schedule fired is stored in the transaction that accepts its delivery, so none fires twice. What was due while
//! the server was down fires once at its start, unless it is older than its target lets events become.

use std::time::Duration;

use domain::{Scope, Timestamp};
use store::{Scan, Snapshot, Tx};
use wire::Error;

use super::due::{Due, next};
use super::target::{AGE_SECONDS_DEFAULT, delivery};
use crate::Scheduler;
use crate::error::{Refusal, service};
use crate::record::{SCHEDULES, ScheduleRecord, schedule_arn};

/// A schedule's alarm: its group and its name.
pub(crate) type Name = (Scope, String, String);

/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Sets the alarm of every schedule.
pub(crate) fn set_all(scheduler: &Scheduler, snapshot: &Snapshot<'_>) -> Result<(), store::Error> {
    for (name, record) in snapshot.scan(&SCHEDULES, &Scan::all())? {
        scheduler.alarms.set(name, alarm(&record));
    }
    Ok(())
}

/// Sets the alarm of one schedule by what is stored.
pub(super) fn set(scheduler: &Scheduler, name: Name) -> Result<(), Error> {
    let found = scheduler.store.read(|snapshot| snapshot.get(&SCHEDULES, name.clone()));
    let record = found.map_err(|error: store::Error| service(error))?;
    scheduler.alarms.set(name, record.as_ref().and_then(alarm));
    Ok(())
}

fn alarm(record: &ScheduleRecord) -> Option<Timestamp> {
    next(record).filter(|_| record.enabled).map(|due| due.fire)
}

/// Fires schedules as they come due, for ever.
pub(crate) async fn run(scheduler: Scheduler) {
    loop {
        let (name, _, _due) = scheduler.alarms.next().await;
        let (sender, schedule) = (scheduler.clone(), name.clone());
        match scheduler.write(move |tx| fire(&sender, tx, &schedule)).await {
            Ok(next) => scheduler.alarms.set(name, next),
            Err(error) => {
                tracing::error!(schedule = name.2, %error, "a schedule could not fire; it is tried again");
                scheduler.alarms.set(name, Some(scheduler.now().plus(PAUSE)));
            }
        }
    }
}

/// Sends what is due, and says when the schedule is due next.
fn fire(scheduler: &Scheduler, tx: &mut Tx<'_>, name: &Name) -> Result<Option<Timestamp>, Refusal> {
    // Deleted or changed since the alarm was set: what is stored decides.
    let Some(mut record) = tx.get(&SCHEDULES, name.clone())? else { return Ok(None) };
    let now = scheduler.now();
    let Some(moment) = latest(&record, now) else { return Ok(alarm(&record)) };
    record.fired = Some(moment);
    let arn = schedule_arn(&name.0, &name.1, &name.2);
    if is_too_old(&record, moment, now) {
        tracing::warn!(
            schedule = arn,
            "a schedule was due while the server was down, and is too old to fire"
        );
    } else {
        let delivery = delivery(&name.0, &arn, &record.target, moment);
        scheduler.deliveries.accept(tx, delivery).map_err(|error| match error {
            deliveries::AcceptError::Store(error) => Refusal::from(error),
            full @ deliveries::AcceptError::Full { .. } => {
                Refusal::from(Error::new("ThrottlingException", full.to_string()))
            }
        })?;
    }
    if record.delete_after_completion && next(&record).is_none() {
        tx.delete(&SCHEDULES, name.clone())?;
        return Ok(None);
    }
    tx.put(&SCHEDULES, name.clone(), &record)?;
    Ok(alarm(&record))
}

/// The last moment that has come.
fn latest(record: &ScheduleRecord, now: Timestamp) -> Option<Timestamp> {
    let has_come = |due: &Due| due.fire <= now;
    let mut moment = next(record).filter(|_| record.enabled).filter(has_come)?.moment;
    while let Some(later) = next(&ScheduleRecord { fired: Some(moment), ..record.clone() }).filter(has_come) {
        moment = later.moment;
    }
    Some(moment)
}

fn is_too_old(record: &ScheduleRecord, moment: Timestamp, now: Timestamp) -> bool {
    let age = Duration::from_secs(record.target.age_seconds.unwrap_or(AGE_SECONDS_DEFAULT));
    let window = Duration::from_secs(u64::from(record.window_minutes.unwrap_or_default()) * 60);
    moment.plus(age).plus(window) < now
}
