//! `GetSubscriptionAttributes`

use std::collections::BTreeMap;

use wire::{Context, Error};

use crate::arn::SubscriptionArn;
use crate::delivery_policy::effective_of_subscription;
use crate::error::subscription_not_found;
use crate::record::{SUBSCRIPTIONS, SubscriptionRecord, TOPICS, TopicRecord};
use crate::{Sns, shapes};

/// Everything that is known of a subscription.
pub(crate) async fn get_attributes(
    sns: Sns,
    _: Context,
    input: shapes::GetSubscriptionAttributesInput,
) -> Result<shapes::GetSubscriptionAttributesResponse, Error> {
    let arn = SubscriptionArn::parse(&input.subscription_arn)?;
    let now = sns.now();
    let attributes = sns.read(|snapshot| {
        let record = snapshot
            .get(&SUBSCRIPTIONS, arn.key())?
            .filter(|record| !record.has_lapsed(now))
            .ok_or_else(subscription_not_found)?;
        let topic = snapshot.get(&TOPICS, arn.topic.key())?.ok_or_else(subscription_not_found)?;
        Ok(shown(&arn, &record, &topic))
    })?;
    Ok(shapes::GetSubscriptionAttributesResponse { attributes: Some(attributes) })
}

fn shown(
    arn: &SubscriptionArn,
    record: &SubscriptionRecord,
    topic: &TopicRecord,
) -> BTreeMap<String, String> {
    let set = &record.attributes;
    let mut all = BTreeMap::from([
        ("SubscriptionArn", arn.to_string()),
        ("TopicArn", arn.topic.to_string()),
        ("Owner", record.owner.clone()),
        ("Protocol", record.protocol.name().to_owned()),
        ("Endpoint", record.endpoint.clone()),
        ("PendingConfirmation", record.pending.is_some().to_string()),
        ("ConfirmationWasAuthenticated", record.confirmed_by_owner.to_string()),
        ("RawMessageDelivery", set.raw.to_string()),
        ("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", record.owner)),
    ]);
    if let Some(policy) = &set.filter_policy {
        all.insert("FilterPolicy", policy.clone());
        let scope = if set.filter_body { "MessageBody" } else { "MessageAttributes" };
        all.insert("FilterPolicyScope", scope.to_owned());
    }
    if let Some(policy) = &set.redrive_policy {
        all.insert("RedrivePolicy", policy.clone());
    }
    if let Some(policy) = &set.delivery_policy {
        all.insert("DeliveryPolicy", policy.clone());
    }
    if matches!(record.protocol, crate::record::Protocol::Http | crate::record::Protocol::Https) {
        let effective = effective_of_subscription(
            topic.attributes.delivery_policy.as_deref(),
            set.delivery_policy.as_deref(),
        );
        all.insert("EffectiveDeliveryPolicy", effective);
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
