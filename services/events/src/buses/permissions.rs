//! `PutPermission` and `RemovePermission`: who else may put events on a bus.

use serde_json::{Value, json};
use wire::{Context, Error, Unit};

use crate::arn::BusRef;
use crate::error::{Refusal, not_found, validation};
use crate::limits::POLICY_BYTES;
use crate::record::BUSES;
use crate::{Events, access, shapes};

/// Adds a statement, or replaces the whole policy.
pub(crate) async fn put(
    events: Events,
    cx: Context,
    input: shapes::PutPermissionRequest,
) -> Result<Unit, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    if let Some(text) = input.policy {
        let policy: Value =
            serde_json::from_str(&text).map_err(|_| validation("Policy is not valid JSON."))?;
        if input.statement_id.is_some() || input.action.is_some() || input.principal.is_some() {
            return Err(validation(
                "Policy cannot be given together with Action, Principal and StatementId.",
            ));
        }
        access::parse(&policy)?;
        return change(events, bus, move |stored| {
            *stored = policy;
            Ok(())
        })
        .await;
    }
    let (Some(action), Some(principal), Some(id)) = (input.action, input.principal, input.statement_id)
    else {
        return Err(validation("Action, Principal and StatementId must be given, or Policy."));
    };
    if action != "events:PutEvents" {
        return Err(validation("Provided value in parameter 'action' is not supported."));
    }
    let shown_principal = match domain::Account::parse(&principal) {
        Some(account) => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
        None if principal == "*" => json!("*"),
        None => return Err(validation("Provided value in parameter 'principal' is not valid.")),
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": shown_principal,
        "Action": action,
        "Resource": bus.arn(),
    });
    if let Some(condition) = input.condition {
        statement["Condition"] = json!({ condition.r#type: { condition.key: condition.value } });
    }
    change(events, bus, move |policy| {
        let statements = policy["Statement"].as_array_mut();
        let statements = statements.ok_or_else(|| validation("Policy has no list of statements."))?;
        statements.retain(|there| there["Sid"] != id.as_str());
        statements.push(statement);
        Ok(())
    })
    .await
}

/// Removes a statement, or all of them.
pub(crate) async fn remove(
    events: Events,
    cx: Context,
    input: shapes::RemovePermissionRequest,
) -> Result<Unit, Error> {
    let bus = BusRef::parse(&cx.scope, input.event_bus_name.as_deref())?;
    let all = input.remove_all_permissions == Some(true);
    if !all && input.statement_id.is_none() {
        return Err(validation("Parameter StatementId is required unless RemoveAllPermissions is set."));
    }
    events
        .write(move |tx| {
            let mut record = super::expect(tx, &bus)?;
            let Some(mut policy) = record.policy.take() else {
                return Err(not_found("EventBus does not have a policy.").into());
            };
            if !all {
                let statements = policy["Statement"].as_array_mut();
                let statements = statements.ok_or_else(|| validation("Policy has no list of statements."))?;
                let before = statements.len();
                statements.retain(|there| {
                    Some(there["Sid"].as_str().unwrap_or_default()) != input.statement_id.as_deref()
                });
                if statements.len() == before {
                    return Err(not_found("Statement with the provided id does not exist.").into());
                }
                record.policy = (!statements.is_empty()).then_some(policy);
            }
            tx.put(&BUSES, (&bus.scope, bus.name.as_str()), &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(Unit::default())
}

async fn change(
    events: Events,
    bus: BusRef,
    change: impl FnOnce(&mut Value) -> Result<(), Error> + Send + 'static,
) -> Result<Unit, Error> {
    events
        .write(move |tx| {
            let mut record = super::expect(tx, &bus)?;
            let mut policy =
                record.policy.take().unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }));
            change(&mut policy)?;
            if policy.to_string().len() > POLICY_BYTES {
                return Err(Error::new(
                    "PolicyLengthExceededException",
                    "The event bus policy is too long. For more information, see the limits.",
                )
                .into());
            }
            record.policy = Some(policy);
            tx.put(&BUSES, (&bus.scope, bus.name.as_str()), &record)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(Unit::default())
}
