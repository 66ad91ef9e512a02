//! `ConfirmSubscription`, by the API and by the link in a message.

use wire::{Context, Error};

use crate::arn::{SubscriptionArn, TopicArn};
use crate::error::{Refusal, invalid, topic_not_found};
use crate::record::{SUBSCRIPTIONS, TOPICS, subscriptions_of};
use crate::{Sns, shapes};

/// Confirms a subscription as whoever the caller is.
pub(crate) async fn confirm(
    sns: Sns,
    cx: Context,
    input: shapes::ConfirmSubscriptionInput,
) -> Result<shapes::ConfirmSubscriptionResponse, Error> {
    let authenticate =
        input.authenticate_on_unsubscribe.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let caller = cx.principal.account().to_string();
    let arn = confirm_by_token(&sns, &input.topic_arn, input.token, Some(caller), authenticate).await?;
    Ok(shapes::ConfirmSubscriptionResponse { subscription_arn: Some(arn.to_string()) })
}

/// Confirms a subscription: whoever has the token is its endpoint.
pub(crate) async fn confirm_by_token(
    sns: &Sns,
    topic: &str,
    token: String,
    caller: Option<String>,
    authenticate_on_unsubscribe: bool,
) -> Result<SubscriptionArn, Error> {
    let topic = TopicArn::parse(topic)?;
    let now = sns.now();
    let confirmed = sns
        .write(move |tx| {
            if !tx.contains(&TOPICS, topic.key())? {
                return Err(topic_not_found().into());
            }
            let asked = subscriptions_of(tx, &topic, now)?.into_iter().find(|(_, record)| {
                let known = record.pending.as_ref().map(|pending| &pending.token);
                known.or(record.confirmed_with.as_ref()).is_some_and(|known| {
                    subtle::ConstantTimeEq::ct_eq(known.as_bytes(), token.as_bytes()).into()
                })
            });
            let Some((id, mut record)) = asked else { return Err(invalid("Token").into()) };
            if record.pending.take().is_none() {
                // A link that is opened twice, as mail programs and eager servers do.
                return Ok(SubscriptionArn { topic, id });
            }
            record.confirmed_with = Some(token);
            record.confirmed_by_owner = caller.as_deref() == Some(topic.scope.account.as_str());
            record.authenticate_on_unsubscribe = authenticate_on_unsubscribe;
            let arn = SubscriptionArn { topic, id };
            tx.put(&SUBSCRIPTIONS, arn.key(), &record)?;
            Ok::<_, Refusal>(arn)
        })
        .await?;
    Ok(confirmed)
}
