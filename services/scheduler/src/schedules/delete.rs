//! `DeleteSchedule`

use wire::{Context, Error};

use crate::error::{Refusal, no_schedule};
use crate::record::{DEFAULT_GROUP, SCHEDULES};
use crate::{Scheduler, shapes};

/// Deletes a schedule.
pub(crate) async fn delete(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::DeleteScheduleInput,
) -> Result<shapes::DeleteScheduleOutput, Error> {
    let group = input.group_name.unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    let key = (cx.scope, group, input.name);
    let alarm = key.clone();
    scheduler
        .write(move |tx| {
            let name = key.2.clone();
            if !tx.delete(&SCHEDULES, key)? {
                return Err(no_schedule(&name).into());
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    scheduler.alarms.set(alarm, None);
    Ok(shapes::DeleteScheduleOutput::default())
}
