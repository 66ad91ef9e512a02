//! `AddPermission`, `RemovePermission`, and the policy of a topic that was given none.

use serde_json::{Value, json};
use wire::{Context, Error, Unit};

use crate::arn::TopicArn;
use crate::error::{Refusal, invalid, topic_not_found};
use crate::record::{TOPICS, TopicRecord};
use crate::{Sns, access, shapes};

/// What the owner of a topic may do with it.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html>
const OWNER_ACTIONS: [&str; 8] = [
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
];

/// The topic's policy: its own, or the one that every topic begins with.
pub(crate) fn effective_policy(arn: &TopicArn, topic: &TopicRecord) -> String {
    topic.attributes.policy.clone().unwrap_or_else(|| default_policy(arn).to_string())
}

fn default_policy(arn: &TopicArn) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": OWNER_ACTIONS,
            "Resource": arn.to_string(),
            "Condition": { "StringEquals": { "AWS:SourceOwner": arn.scope.account.as_str() } },
        }],
    })
}

/// Whether a policy can be one of a topic.
pub(super) fn check(policy: &str) -> Result<(), Error> {
    access::parse(policy).map(drop)
}

/// `AddPermission`
pub(crate) async fn add_permission(
    sns: Sns,
    cx: Context,
    input: shapes::AddPermissionInput,
) -> Result<Unit, Error> {
    let actions =
        input.action_name.iter().map(|action| action_name(action)).collect::<Result<Vec<_>, _>>()?;
    if input.label.is_empty() || actions.is_empty() || input.aws_account_id.is_empty() {
        return Err(invalid("Label, AWSAccountId and ActionName must not be empty"));
    }
    let principals: Vec<String> =
        input.aws_account_id.iter().map(|account| principal(account)).collect::<Result<_, _>>()?;
    let statement = |arn: &TopicArn| {
        json!({
            "Sid": input.label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_many(&principals) },
            "Action": one_or_many(&actions),
            "Resource": arn.to_string(),
        })
    };
    let arn = TopicArn::parse(&input.topic_arn)?;
    let (statement, label) = (statement(&arn), input.label);
    change(sns, cx, arn, "sns:AddPermission", move |statements| {
        if statements.iter().any(|there| there["Sid"] == label.as_str()) {
            return Err(invalid("Statement already exists"));
        }
        statements.push(statement);
        Ok(())
    })
    .await
}

/// `RemovePermission`
pub(crate) async fn remove_permission(
    sns: Sns,
    cx: Context,
    input: shapes::RemovePermissionInput,
) -> Result<Unit, Error> {
    let arn = TopicArn::parse(&input.topic_arn)?;
    change(sns, cx, arn, "sns:RemovePermission", move |statements| {
        statements.retain(|statement| statement["Sid"] != input.label.as_str());
        Ok(())
    })
    .await
}

async fn change(
    sns: Sns,
    cx: Context,
    arn: TopicArn,
    action: &'static str,
    change: impl FnOnce(&mut Vec<Value>) -> Result<(), Error> + Send + 'static,
) -> Result<Unit, Error> {
    sns.write(move |tx| {
        let mut topic = tx.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
        access::check(&cx, &arn, &topic, action)?;
        let mut policy: Value =
            serde_json::from_str(&effective_policy(&arn, &topic)).map_err(crate::error::service)?;
        let mut statements = match policy["Statement"].take() {
            Value::Array(statements) => statements,
            one => vec![one],
        };
        change(&mut statements)?;
        policy["Statement"] = Value::Array(statements);
        topic.attributes.policy = Some(policy.to_string());
        tx.put(&TOPICS, arn.key(), &topic)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(Unit::default())
}

/// `Publish` is `SNS:Publish`; only what a topic's policy can be about may be said.
fn action_name(action: &str) -> Result<String, Error> {
    let full = format!("SNS:{action}");
    if !OWNER_ACTIONS.contains(&full.as_str()) && action != "Receive" {
        return Err(invalid("Policy statement action out of service scope!"));
    }
    Ok(full)
}

fn principal(account: &str) -> Result<String, Error> {
    let account = domain::Account::parse(account).ok_or_else(|| invalid("AWSAccountId"))?;
    Ok(format!("arn:aws:iam::{account}:root"))
}

fn one_or_many(values: &[String]) -> Value {
    match values {
        [one] => json!(one),
        many => json!(many),
    }
}
