//! `CreateLogGroup`

use wire::{Context, Error, Unit};

use super::tags::check_tags;
use crate::Logs;
use crate::error::{group_exists, invalid_parameter, not_supported};
use crate::record::{GROUPS, create_group};
use crate::shapes::{CreateLogGroupRequest, LogGroupClass};

/// Makes an empty group whose events are kept for ever.
pub async fn create(logs: Logs, cx: Context, input: CreateLogGroupRequest) -> Result<Unit, Error> {
    refuse_unsupported(&input)?;
    let name = input.log_group_name;
    if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/")) {
        return Err(invalid_parameter("Log groups starting with AWS/ are reserved for AWS."));
    }
    let tags = input.tags.unwrap_or_default();
    check_tags(&tags)?;
    let now = logs.now();
    logs.write(move |tx| {
        if tx.contains(&GROUPS, (&cx.scope, name.as_str()))? {
            return Err(group_exists().into());
        }
        create_group(tx, &cx.scope, &name, now, tags)?;
        Ok(Unit::default())
    })
    .await
}

fn refuse_unsupported(input: &CreateLogGroupRequest) -> Result<(), Error> {
    if input.kms_key_id.is_some() {
        return Err(not_supported("encryption with a KMS key (kmsKeyId)"));
    }
    if let Some(class) = input.log_group_class.filter(|class| *class != LogGroupClass::Standard) {
        return Err(not_supported(&format!("the log group class {class}")));
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(not_supported("deletion protection"));
    }
    Ok(())
}
