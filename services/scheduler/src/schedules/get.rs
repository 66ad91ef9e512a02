//! `GetSchedule`

use wire::{Context, Error};

use super::target;
use crate::error::no_schedule;
use crate::record::{DEFAULT_GROUP, SCHEDULES, schedule_arn};
use crate::{Scheduler, shapes};

/// What is known of a schedule.
pub(crate) async fn get(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::GetScheduleInput,
) -> Result<shapes::GetScheduleOutput, Error> {
    let group = input.group_name.unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    let record = scheduler.read(|snapshot| {
        let found = snapshot.get(&SCHEDULES, (&cx.scope, group.as_str(), input.name.as_str()))?;
        Ok(found.ok_or_else(|| no_schedule(&input.name))?)
    })?;
    Ok(shapes::GetScheduleOutput {
        arn: Some(schedule_arn(&cx.scope, &group, &input.name)),
        group_name: Some(group),
        name: Some(input.name),
        schedule_expression: Some(record.expression),
        start_date: record.start,
        end_date: record.end,
        description: record.description,
        schedule_expression_timezone: Some(record.timezone.unwrap_or_else(|| "UTC".to_owned())),
        state: Some(state(record.enabled)),
        creation_date: Some(record.created),
        last_modification_date: Some(record.modified),
        kms_key_arn: None,
        target: Some(target::shown(record.target)),
        flexible_time_window: Some(shapes::FlexibleTimeWindow {
            mode: match record.window_minutes {
                Some(_) => shapes::FlexibleTimeWindowMode::Flexible,
                None => shapes::FlexibleTimeWindowMode::Off,
            },
            maximum_window_in_minutes: record.window_minutes.and_then(|minutes| i32::try_from(minutes).ok()),
        }),
        action_after_completion: Some(match record.delete_after_completion {
            true => shapes::ActionAfterCompletion::Delete,
            false => shapes::ActionAfterCompletion::None,
        }),
    })
}

pub(super) fn state(enabled: bool) -> shapes::ScheduleState {
    if enabled { shapes::ScheduleState::Enabled } else { shapes::ScheduleState::Disabled }
}
