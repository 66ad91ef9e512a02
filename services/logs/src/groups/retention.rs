//! `PutRetentionPolicy`, `DeleteRetentionPolicy`

use wire::{Context, Error, Unit};

use crate::Logs;
use crate::error::invalid_parameter;
use crate::record::{GROUPS, group};
use crate::shapes::{DeleteRetentionPolicyRequest, PutRetentionPolicyRequest};

/// For how many days events can be kept.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Lets events expire after so many days. Those older are not shown any more from now on.
pub async fn put_retention(logs: Logs, cx: Context, input: PutRetentionPolicyRequest) -> Result<Unit, Error> {
    let days = u32::try_from(input.retention_in_days).ok().filter(|days| RETENTION_DAYS.contains(days));
    let days = days.ok_or_else(|| {
        invalid_parameter(format!(
            "Invalid retentionInDays: {}. Valid values are: {RETENTION_DAYS:?}",
            input.retention_in_days
        ))
    })?;
    change(logs, cx, input.log_group_name, Some(days)).await
}

/// Keeps events for ever.
pub async fn delete_retention(
    logs: Logs,
    cx: Context,
    input: DeleteRetentionPolicyRequest,
) -> Result<Unit, Error> {
    change(logs, cx, input.log_group_name, None).await
}

async fn change(logs: Logs, cx: Context, name: String, days: Option<u32>) -> Result<Unit, Error> {
    logs.write(move |tx| {
        let mut record = group(tx, &cx.scope, &name)?;
        record.retention_days = days;
        tx.put(&GROUPS, (&cx.scope, name.as_str()), &record)?;
        Ok(())
    })
    .await?;
    logs.bell.ring();
    Ok(Unit::default())
}
