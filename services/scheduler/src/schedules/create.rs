//! `CreateSchedule`

use wire::{Context, Error};

use super::check::{self, Asked};
use super::fire;
use crate::error::{Refusal, conflict};
use crate::record::{DEFAULT_GROUP, SCHEDULES, schedule_arn};
use crate::{Scheduler, groups, shapes};

/// Makes a schedule. The same call twice, by its token, is one call.
pub(crate) async fn create(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::CreateScheduleInput,
) -> Result<shapes::CreateScheduleOutput, Error> {
    let name = input.name;
    let group = input.group_name.unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    let asked = Asked {
        expression: input.schedule_expression,
        timezone: input.schedule_expression_timezone,
        start: input.start_date,
        end: input.end_date,
        description: input.description,
        state: input.state,
        key: input.kms_key_arn,
        target: input.target,
        window: input.flexible_time_window,
        client_token: input.client_token,
        action: input.action_after_completion,
    };
    let record = check::record(asked, scheduler.now())?;
    scheduler.check_role(&record.target.role_arn)?;
    let arn = schedule_arn(&cx.scope, &group, &name);
    let key = (cx.scope, group, name);
    let alarm = key.clone();
    scheduler
        .write(move |tx| {
            groups::expect(tx, &key.0, &key.1)?;
            if let Some(there) = tx.get(&SCHEDULES, key.clone())? {
                if there.client_token.is_some() && there.says_what(&record) {
                    return Ok(());
                }
                return Err(conflict(format!("Schedule {} already exists.", key.2)).into());
            }
            tx.put(&SCHEDULES, key, &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    fire::set(&scheduler, alarm)?;
    Ok(shapes::CreateScheduleOutput { schedule_arn: arn })
}
