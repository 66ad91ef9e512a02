//! `GetScheduleGroup`

use wire::{Context, Error};

use crate::record::group_arn;
use crate::{Scheduler, shapes};

/// What is known of a group.
pub(crate) async fn get(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::GetScheduleGroupInput,
) -> Result<shapes::GetScheduleGroupOutput, Error> {
    let record = scheduler.read(|snapshot| super::expect(snapshot, &cx.scope, &input.name))?;
    Ok(shapes::GetScheduleGroupOutput {
        arn: Some(group_arn(&cx.scope, &input.name)),
        name: Some(input.name),
        state: Some(shapes::ScheduleGroupState::Active),
        creation_date: Some(record.created),
        last_modification_date: Some(record.modified),
    })
}
