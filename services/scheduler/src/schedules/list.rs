//! `ListSchedules`

use store::Scan;
use wire::{Context, Error};

use super::get::state;
use crate::record::{SCHEDULES, schedule_arn};
use crate::{Scheduler, groups, page, shapes};

/// A page of schedules, of one group or of all.
pub(crate) async fn list(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::ListSchedulesInput,
) -> Result<shapes::ListSchedulesOutput, Error> {
    let all = scheduler.read(|snapshot| {
        let scan = match &input.group_name {
            Some(group) => {
                groups::expect(snapshot, &cx.scope, group)?;
                Scan::prefix((&cx.scope, group.as_str()))
            }
            None => Scan::prefix((&cx.scope,)),
        };
        Ok(snapshot.scan(&SCHEDULES, &scan)?)
    })?;
    let prefix = input.name_prefix.unwrap_or_default();
    let wanted = all.into_iter().filter(|((_, _, name), record)| {
        name.starts_with(&prefix)
            && input.state.as_ref().is_none_or(|wanted| *wanted == state(record.enabled))
    });
    let shown = wanted.map(|((scope, group, name), record)| {
        let summary = shapes::ScheduleSummary {
            arn: Some(schedule_arn(&scope, &group, &name)),
            name: Some(name.clone()),
            group_name: Some(group.clone()),
            state: Some(state(record.enabled)),
            creation_date: Some(record.created),
            last_modification_date: Some(record.modified),
            target: Some(shapes::TargetSummary { arn: record.target.arn }),
        };
        // No name has a slash, so a group's schedules stay together and in order.
        (format!("{group}/{name}"), summary)
    });
    let (schedules, next_token) = page::page(shown, input.next_token.as_deref(), input.max_results)?;
    Ok(shapes::ListSchedulesOutput { schedules, next_token })
}
