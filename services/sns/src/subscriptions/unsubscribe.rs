//! `Unsubscribe`, by the API and by the link in a message.

use wire::{Context, Error, Unit};

use crate::arn::SubscriptionArn;
use crate::error::{Refusal, not_authorized};
use crate::record::{SUBSCRIPTIONS, SubscriptionRecord, TOPICS};
use crate::{Sns, access, shapes};

/// Ends a subscription. One that is not there is no mistake.
pub(crate) async fn unsubscribe(
    sns: Sns,
    cx: Context,
    input: shapes::UnsubscribeInput,
) -> Result<Unit, Error> {
    let arn = SubscriptionArn::parse(&input.subscription_arn)?;
    let topic = arn.topic.clone();
    remove(&sns, arn, move |record| {
        // The topic's owner and the subscription's may both.
        if cx.principal.account().as_str() == topic.scope.account.as_str() {
            return Ok(());
        }
        access::check_owner(&cx, &record.owner, "sns:Unsubscribe", &topic)
    })
    .await?;
    Ok(Unit::default())
}

/// Ends a subscription for whoever follows the link in one of its messages.
pub(crate) async fn unsubscribe_by_link(sns: &Sns, arn: &str) -> Result<(), Error> {
    let arn = SubscriptionArn::parse(arn)?;
    let shown = arn.topic.to_string();
    remove(sns, arn, move |record| {
        if record.authenticate_on_unsubscribe {
            return Err(not_authorized("anonymous", "sns:Unsubscribe", &shown));
        }
        Ok(())
    })
    .await
}

async fn remove(
    sns: &Sns,
    arn: SubscriptionArn,
    may: impl FnOnce(&SubscriptionRecord) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    sns.write(move |tx| {
        let Some(record) = tx.get(&SUBSCRIPTIONS, arn.key())? else { return Ok(()) };
        may(&record)?;
        tx.delete(&SUBSCRIPTIONS, arn.key())?;
        if let Some(mut topic) = tx.get(&TOPICS, arn.topic.key())? {
            topic.subscriptions_deleted += 1;
            tx.put(&TOPICS, arn.topic.key(), &topic)?;
        }
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(())
}
