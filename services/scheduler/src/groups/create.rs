//! `CreateScheduleGroup`

use wire::{Context, Error};

use super::tags;
use crate::error::{Refusal, conflict};
use crate::record::{DEFAULT_GROUP, GROUPS, GroupRecord, group_arn};
use crate::{Scheduler, shapes};

/// Makes a group. The same call twice, by its token, is one call.
pub(crate) async fn create(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::CreateScheduleGroupInput,
) -> Result<shapes::CreateScheduleGroupOutput, Error> {
    let now = scheduler.now();
    let record = GroupRecord {
        created: now,
        modified: now,
        tags: tags::of_new(input.tags)?,
        client_token: input.client_token,
    };
    let name = input.name;
    let arn = group_arn(&cx.scope, &name);
    scheduler
        .write(move |tx| {
            let taken = || Refusal::from(conflict(format!("Schedule group {name} already exists.")));
            if name == DEFAULT_GROUP {
                return Err(taken());
            }
            if let Some(there) = tx.get(&GROUPS, (&cx.scope, name.as_str()))? {
                let same = there.client_token.is_some() && there.client_token == record.client_token;
                return if same { Ok(()) } else { Err(taken()) };
            }
            tx.put(&GROUPS, (&cx.scope, name.as_str()), &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::CreateScheduleGroupOutput { schedule_group_arn: arn })
}
