//! `SetTopicAttributes`

use wire::{Context, Error, Unit};

use super::attributes;
use crate::arn::TopicArn;
use crate::error::{Refusal, topic_not_found};
use crate::record::TOPICS;
use crate::{Sns, access, shapes};

/// Sets one attribute of a topic.
pub(crate) async fn set_attributes(
    sns: Sns,
    cx: Context,
    input: shapes::SetTopicAttributesInput,
) -> Result<Unit, Error> {
    let arn = TopicArn::parse(&input.topic_arn)?;
    sns.write(move |tx| {
        let mut topic = tx.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
        access::check(&cx, &arn, &topic, "sns:SetTopicAttributes")?;
        let value = input.attribute_value.unwrap_or_default();
        attributes::apply(&mut topic.attributes, &input.attribute_name, &value)?;
        tx.put(&TOPICS, arn.key(), &topic)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(Unit::default())
}
