//! When a schedule is due: a pure decision.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use domain::Timestamp;
use schedule::{Schedule, Zone};

use crate::record::ScheduleRecord;

/// The next moment that the schedule names, and the moment, later within its window, at which it is to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) moment: Timestamp,
    pub(super) fire: Timestamp,
}

/// When a schedule is due next; never, if it has ended.
pub(super) fn next(record: &ScheduleRecord) -> Option<Due> {
    let schedule = Schedule::parse_for_scheduler(&record.expression).ok()?;
    let zone = match &record.timezone {
        Some(name) => Zone::find(name)?,
        None => Zone::UTC,
    };
    let since = record.start.unwrap_or(record.created);
    let moment = match (&schedule, record.fired) {
        // A rate fires at its beginning, too.
        // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based>
        (Schedule::Rate(_), None) => since,
        (_, Some(fired)) => schedule.next(fired, since, &zone)?,
        (_, None) => schedule.next(Timestamp(since.0 - 1), since, &zone)?,
    };
    if record.end.is_some_and(|end| moment > end) {
        return None;
    }
    Some(Due { moment, fire: moment.plus(delay(record, moment)) })
}

/// Somewhere in the window, and the same after a restart.
fn delay(record: &ScheduleRecord, moment: Timestamp) -> Duration {
    const MINUTE_MS: u64 = 60_000;
    let Some(minutes) = record.window_minutes.filter(|minutes| *minutes > 0) else { return Duration::ZERO };
    let mut hasher = DefaultHasher::new();
    (record.created.0, &record.target.arn, moment.0).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % (u64::from(minutes) * MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TargetRecord;

    fn record(expression: &str) -> ScheduleRecord {
        ScheduleRecord {
            expression: expression.to_owned(),
            timezone: None,
            start: None,
            end: None,
            description: None,
            enabled: true,
            target: TargetRecord {
                arn: "arn".to_owned(),
                role_arn: String::new(),
                input: None,
                group_id: None,
                event: None,
                retries: None,
                age_seconds: None,
                dead_letter: None,
            },
            window_minutes: None,
            delete_after_completion: false,
            client_token: None,
            created: Timestamp(1_000_000),
            modified: Timestamp(1_000_000),
            fired: None,
        }
    }

    fn moments(mut record: ScheduleRecord, count: usize) -> Vec<i64> {
        let mut found = Vec::new();
        while let Some(due) = next(&record).filter(|_| found.len() < count) {
            found.push(due.moment.0);
            record.fired = Some(due.moment);
        }
        found
    }

    #[test]
    fn a_rate_begins_at_once_or_at_its_start() {
        assert_eq!(moments(record("rate(1 minute)"), 3), [1_000_000, 1_060_000, 1_120_000]);
        let later = ScheduleRecord { start: Some(Timestamp(5_000_000)), ..record("rate(1 minute)") };
        assert_eq!(moments(later, 2), [5_000_000, 5_060_000]);
    }

    #[test]
    fn an_end_ends_it() {
        let ended = ScheduleRecord { end: Some(Timestamp(1_060_000)), ..record("rate(1 minute)") };
        assert_eq!(moments(ended, 9), [1_000_000, 1_060_000]);
    }

    #[test]
    fn a_date_comes_once_in_its_zone() {
        let once = ScheduleRecord {
            timezone: Some("Europe/Berlin".to_owned()),
            ..record("at(1970-01-02T01:00:00)")
        };
        assert_eq!(moments(once, 9), [86_400_000]);
        assert_eq!(moments(record("at(1970-01-01T00:00:01)"), 9), [] as [i64; 0]);
    }

    #[test]
    fn a_window_delays_by_less_than_its_length_and_always_the_same() {
        let flexible = ScheduleRecord { window_minutes: Some(15), ..record("cron(0 * * * ? *)") };
        let due = next(&flexible).unwrap();
        assert!(due.fire >= due.moment && due.fire.0 < due.moment.0 + 15 * 60_000);
        assert_eq!(next(&flexible), Some(due));
    }
}
