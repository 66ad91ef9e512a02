//! Permissions: statements of a queue's policy, by label.

use serde_json::{Value, json};
use wire::{Context, Error, Unit};

use crate::Sqs;
use crate::error::{invalid_parameter, invalid_value};
use crate::limits::{NAME_CHARS_MAX, PERMISSION_ACTIONS_MAX};
use crate::shapes::{AddPermissionRequest, RemovePermissionRequest};

/// Actions that a permission can give.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>
const ACTIONS: &[&str] = &[
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// `AddPermission`
pub async fn add_permission(sqs: Sqs, cx: Context, input: AddPermissionRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "AddPermission")?;
    let AddPermissionRequest { label, aws_account_ids: accounts, actions, .. } = input;
    check_label(&label)?;
    if actions.is_empty() {
        return Err(crate::error::missing("Actions"));
    }
    if actions.len() > PERMISSION_ACTIONS_MAX {
        return Err(Error::new(
            "OverLimit",
            format!("{} Actions were found, maximum allowed is {PERMISSION_ACTIONS_MAX}.", actions.len()),
        )
        .with_status(403));
    }
    if let Some(action) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        return Err(invalid_value(
            format!("SQS:{action}"),
            "ActionName",
            "Please refer to the appropriate WSDL for a list of valid actions.",
        ));
    }
    if accounts.is_empty() {
        return Err(crate::error::missing("AWSAccountIds"));
    }
    if let Some(account) = accounts.iter().find(|account| domain::Account::parse(account).is_none()) {
        return Err(invalid_value(account, "PrincipalId", "Unable to verify."));
    }
    let arn = queue.arn();
    sqs.change(&queue, move |record| {
        let mut policy = policy_of(record.attributes.get("Policy"), &arn);
        let statements = statements_of(&mut policy);
        if statements.iter().any(|statement| statement["Sid"] == label.as_str()) {
            return Err(invalid_value(&label, "Label", "Already exists."));
        }
        let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
        let actions = actions.iter().map(|action| format!("SQS:{action}")).collect();
        statements.push(json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_many(principals) },
            "Action": one_or_many(actions),
            "Resource": arn,
        }));
        record.attributes.insert("Policy".to_owned(), policy.to_string());
        Ok(())
    })
    .await?;
    Ok(Unit {})
}

/// `RemovePermission`
pub async fn remove_permission(sqs: Sqs, cx: Context, input: RemovePermissionRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "RemovePermission")?;
    let (label, arn) = (input.label, queue.arn());
    sqs.change(&queue, move |record| {
        let mut policy = policy_of(record.attributes.get("Policy"), &arn);
        let statements = statements_of(&mut policy);
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != label.as_str());
        match (before == statements.len(), statements.is_empty()) {
            (true, _) => return Err(invalid_value(&label, "Label", "can't find label.")),
            (false, true) => drop(record.attributes.remove("Policy")),
            (false, false) => drop(record.attributes.insert("Policy".to_owned(), policy.to_string())),
        }
        Ok(())
    })
    .await?;
    Ok(Unit {})
}

fn check_label(label: &str) -> Result<(), Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=NAME_CHARS_MAX).contains(&label.len()) && label.bytes().all(legal) {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "Value {label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or \
         underscores. 1 to 80 in length."
    )))
}

/// The policy, or an empty one as AWS begins it.
fn policy_of(text: Option<&String>, arn: &str) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(
        || json!({ "Version": "2008-10-17", "Id": format!("{arn}/SQSDefaultPolicy"), "Statement": [] }),
    )
}

fn statements_of(policy: &mut Value) -> &mut Vec<Value> {
    if !policy["Statement"].is_array() {
        policy["Statement"] = json!([policy["Statement"].take()]);
    }
    policy["Statement"].as_array_mut().expect("it was made an array above")
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    if texts.len() == 1 { json!(texts.remove(0)) } else { json!(texts) }
}
