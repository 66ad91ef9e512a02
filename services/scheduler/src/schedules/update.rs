//! `UpdateSchedule`

use wire::{Context, Error};

use super::check::{self, Asked};
use super::fire;
use crate::error::{Refusal, no_schedule};
use crate::record::{DEFAULT_GROUP, SCHEDULES, ScheduleRecord, schedule_arn};
use crate::{Scheduler, shapes};

/// Replaces everything that a schedule says.
pub(crate) async fn update(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::UpdateScheduleInput,
) -> Result<shapes::UpdateScheduleOutput, Error> {
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
            let before = tx.get(&SCHEDULES, key.clone())?.ok_or_else(|| no_schedule(&key.2))?;
            // A schedule that stays as it was goes on as it was.
            let same = before.expression == record.expression
                && before.timezone == record.timezone
                && before.start == record.start
                && before.enabled == record.enabled;
            let record = ScheduleRecord {
                created: before.created,
                client_token: before.client_token,
                fired: if same {
                    before.fired
                } else {
                    Some(record.modified).filter(|_| before.fired.is_some())
                },
                ..record
            };
            tx.put(&SCHEDULES, key, &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    fire::set(&scheduler, alarm)?;
    Ok(shapes::UpdateScheduleOutput { schedule_arn: arn })
}
