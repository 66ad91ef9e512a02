//! `DeleteTopic`

use store::Scan;
use wire::{Context, Error, Unit};

use crate::arn::TopicArn;
use crate::error::Refusal;
use crate::record::{SUBSCRIPTIONS, TOPICS};
use crate::{Sns, access, shapes};

/// Deletes a topic with its subscriptions. One that is not there is no mistake.
pub(crate) async fn delete(sns: Sns, cx: Context, input: shapes::DeleteTopicInput) -> Result<Unit, Error> {
    let arn = TopicArn::parse(&input.topic_arn)?;
    sns.write(move |tx| {
        let Some(topic) = tx.get(&TOPICS, arn.key())? else { return Ok(()) };
        access::check(&cx, &arn, &topic, "sns:DeleteTopic")?;
        let subscriptions = tx.keys(&SUBSCRIPTIONS, &Scan::prefix((&arn.scope, arn.name.as_str())))?;
        for key in subscriptions {
            tx.delete(&SUBSCRIPTIONS, key)?;
        }
        tx.delete(&TOPICS, arn.key())?;
        crate::publish::forget_topic(tx, &arn)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(Unit::default())
}
