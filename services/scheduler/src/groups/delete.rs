//! `DeleteScheduleGroup`

use store::Scan;
use wire::{Context, Error};

use crate::error::{Refusal, validation};
use crate::record::{DEFAULT_GROUP, GROUPS, SCHEDULES};
use crate::{Scheduler, shapes};

/// Deletes a group with its schedules.
pub(crate) async fn delete(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::DeleteScheduleGroupInput,
) -> Result<shapes::DeleteScheduleGroupOutput, Error> {
    if input.name == DEFAULT_GROUP {
        return Err(validation("The default schedule group cannot be deleted."));
    }
    scheduler
        .write(move |tx| {
            super::expect(tx, &cx.scope, &input.name)?;
            for key in tx.keys(&SCHEDULES, &Scan::prefix((&cx.scope, input.name.as_str())))? {
                tx.delete(&SCHEDULES, key)?;
            }
            tx.delete(&GROUPS, (&cx.scope, input.name.as_str()))?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::DeleteScheduleGroupOutput::default())
}
