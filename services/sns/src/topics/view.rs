//! `GetTopicAttributes`

use std::collections::BTreeMap;

use wire::{Context, Error};

use super::policy::effective_policy;
use crate::arn::TopicArn;
use crate::delivery_policy;
use crate::error::topic_not_found;
use crate::record::{SignatureVersion, TOPICS, TopicRecord, subscriptions_of};
use crate::{Sns, access, shapes};

/// Everything that is known of a topic.
pub(crate) async fn get_attributes(
    sns: Sns,
    cx: Context,
    input: shapes::GetTopicAttributesInput,
) -> Result<shapes::GetTopicAttributesResponse, Error> {
    let arn = TopicArn::parse(&input.topic_arn)?;
    let now = sns.now();
    let attributes = sns.read(|snapshot| {
        let topic = snapshot.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
        access::check(&cx, &arn, &topic, "sns:GetTopicAttributes")?;
        let pending: Vec<bool> =
            subscriptions_of(snapshot, &arn, now)?.iter().map(|(_, one)| one.pending.is_some()).collect();
        Ok(shown(&arn, &topic, &pending))
    })?;
    Ok(shapes::GetTopicAttributesResponse { attributes: Some(attributes) })
}

fn shown(arn: &TopicArn, topic: &TopicRecord, pending: &[bool]) -> BTreeMap<String, String> {
    let set = &topic.attributes;
    let waiting = pending.iter().filter(|pending| **pending).count();
    let mut all = BTreeMap::from([
        ("TopicArn", arn.to_string()),
        ("Owner", arn.scope.account.to_string()),
        ("Policy", effective_policy(arn, topic)),
        ("DisplayName", set.display_name.clone()),
        ("SubscriptionsConfirmed", (pending.len() - waiting).to_string()),
        ("SubscriptionsPending", waiting.to_string()),
        ("SubscriptionsDeleted", topic.subscriptions_deleted.to_string()),
        ("EffectiveDeliveryPolicy", delivery_policy::effective_of_topic(set.delivery_policy.as_deref())),
    ]);
    let mut add = |name: &'static str, value: Option<String>| value.and_then(|value| all.insert(name, value));
    add("DeliveryPolicy", set.delivery_policy.clone());
    add("KmsMasterKeyId", set.kms_master_key_id.clone());
    add("TracingConfig", set.tracing.clone());
    add("MaximumMessageSize", set.message_bytes_max.map(|bytes| bytes.to_string()));
    add(
        "SignatureVersion",
        set.signature_version.map(|version| match version {
            SignatureVersion::One => "1".to_owned(),
            SignatureVersion::Two => "2".to_owned(),
        }),
    );
    if let Some(fifo) = &set.fifo {
        add("FifoTopic", Some("true".to_owned()));
        add("ContentBasedDeduplication", Some(fifo.content_based_deduplication.to_string()));
        let scope = if fifo.throughput_per_group { "MessageGroup" } else { "Topic" };
        add("FifoThroughputScope", Some(scope.to_owned()));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
