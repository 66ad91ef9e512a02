//! `DeleteLogGroup`

use wire::{Context, Error, Unit};

use crate::Logs;
use crate::record::{GROUPS, TRASH, WHOLE_GROUP, group};
use crate::shapes::DeleteLogGroupRequest;

/// Makes the group and all in it invisible; the janitor removes what it held.
pub async fn delete(logs: Logs, cx: Context, input: DeleteLogGroupRequest) -> Result<Unit, Error> {
    let name = input.log_group_name;
    logs.write(move |tx| {
        let record = group(tx, &cx.scope, &name)?;
        tx.delete(&GROUPS, (&cx.scope, name.as_str()))?;
        tx.put(&TRASH, (record.id, WHOLE_GROUP), &())?;
        Ok(())
    })
    .await?;
    logs.bell.ring();
    Ok(Unit::default())
}
