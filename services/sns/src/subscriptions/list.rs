//! `ListSubscriptions` and `ListSubscriptionsByTopic`

use uuid::Uuid;
use wire::{Context, Error};

use super::subscribe::scan_of_account;
use crate::arn::{SubscriptionArn, TopicArn};
use crate::error::topic_not_found;
use crate::limits::PAGE;
use crate::record::{SUBSCRIPTIONS, SubscriptionRecord, TOPICS, subscriptions_of};
use crate::{Sns, access, page, shapes};

/// What a list shows instead of the ARN of a subscription that was not confirmed.
const PENDING: &str = "PendingConfirmation";

/// A page of an account's subscriptions.
pub(crate) async fn list(
    sns: Sns,
    cx: Context,
    input: shapes::ListSubscriptionsInput,
) -> Result<shapes::ListSubscriptionsResponse, Error> {
    let after = page::read_token(input.next_token.as_deref())?;
    let now = sns.now();
    let all = sns.read(|snapshot| {
        let mut found = Vec::new();
        snapshot.visit(&SUBSCRIPTIONS, &scan_of_account(&cx.scope), |(scope, name, id), record| {
            let arn = SubscriptionArn { topic: TopicArn { scope, name }, id };
            let is_after = after.as_deref().is_none_or(|after| arn.to_string().as_str() > after);
            if is_after && !record.has_lapsed(now) {
                found.push((arn, record));
            }
            if found.len() > PAGE {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    })?;
    let (found, next_token) = page::cut(all, |(arn, _)| arn.to_string());
    Ok(shapes::ListSubscriptionsResponse {
        subscriptions: Some(found.into_iter().map(|(arn, record)| shown(&arn, record)).collect()),
        next_token,
    })
}

/// A page of a topic's subscriptions.
pub(crate) async fn list_by_topic(
    sns: Sns,
    cx: Context,
    input: shapes::ListSubscriptionsByTopicInput,
) -> Result<shapes::ListSubscriptionsByTopicResponse, Error> {
    let topic_arn = TopicArn::parse(&input.topic_arn)?;
    let after = page::read_token(input.next_token.as_deref())?;
    let now = sns.now();
    let all = sns.read(|snapshot| {
        let topic = snapshot.get(&TOPICS, topic_arn.key())?.ok_or_else(topic_not_found)?;
        access::check(&cx, &topic_arn, &topic, "sns:ListSubscriptionsByTopic")?;
        let after = after.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        let all = subscriptions_of(snapshot, &topic_arn, now)?.into_iter();
        Ok(all.filter(|(id, _)| after.is_none_or(|after| *id > after)).take(PAGE + 1).collect::<Vec<_>>())
    })?;
    let (found, next_token) = page::cut(all, |(id, _)| id.to_string());
    let show = |(id, record)| shown(&SubscriptionArn { topic: topic_arn.clone(), id }, record);
    Ok(shapes::ListSubscriptionsByTopicResponse {
        subscriptions: Some(found.into_iter().map(show).collect()),
        next_token,
    })
}

fn shown(arn: &SubscriptionArn, record: SubscriptionRecord) -> shapes::Subscription {
    let shown = if record.pending.is_some() { PENDING.to_owned() } else { arn.to_string() };
    shapes::Subscription {
        subscription_arn: Some(shown),
        owner: Some(record.owner),
        protocol: Some(record.protocol.name().to_owned()),
        endpoint: Some(record.endpoint),
        topic_arn: Some(arn.topic.to_string()),
    }
}
