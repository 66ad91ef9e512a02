//! Publishing what others deliver to a topic: dead letters, destinations, notifications of other services.

use std::collections::BTreeMap;

use deliveries::{Answer, Parcel, Sender};
use wire::Error;

use super::fan_out::{Cause, accept};
use super::message::{Message, Sent};
use crate::arn::TopicArn;
use crate::error::{Refusal, topic_not_found};
use crate::record::TOPICS;
use crate::{Sns, access, shapes};

/// Publishes a delivery's payload.
pub(crate) async fn publish_delivery(sns: &Sns, parcel: Parcel) -> Answer {
    match try_publish(sns, parcel).await {
        Ok(()) => Answer::delivered(),
        // What the topic does not want now it will not want later.
        Err(error) if error.status(&shapes::SERVICE) < 500 => {
            let code = match &*error.code {
                "NotFound" => "NO_RESOURCE",
                "AuthorizationError" => "NO_PERMISSIONS",
                _ => "INVALID_PARAMETER",
            };
            Answer::failed(error.to_string()).coded(code)
        }
        Err(error) => Answer::retry(error.to_string()),
    }
}

async fn try_publish(sns: &Sns, parcel: Parcel) -> Result<(), Error> {
    let arn = TopicArn::parse(&parcel.target)?;
    let details: deliveries::Message =
        parcel.details().map_err(|why| crate::error::invalid(format_args!("details: {why}")))?;
    let trace_header = details.trace_header.clone();
    let sent = sent(&parcel, details)?;
    let sender = sns.clone();
    sns.write(move |tx| {
        let topic = tx.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
        if let Sender::Service { principal, source_arn, source_account } = &parcel.sender {
            access::check_service(principal, source_arn, source_account, &arn, &topic, "sns:Publish")?;
        }
        let message = Message::for_topic(sent, &topic)?;
        accept(&sender, tx, Cause { trace_header }, &arn, &topic, message)?;
        Ok::<_, Refusal>(())
    })
    .await
}

fn sent(parcel: &Parcel, details: deliveries::Message) -> Result<Sent, Error> {
    let attribute = |(name, one): (String, deliveries::Attribute)| {
        let is_binary = one.data_type.starts_with("Binary");
        let bytes = is_binary
            .then(|| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &one.value))
            .transpose()
            .map_err(|error| crate::error::invalid_value(error.to_string()))?;
        let value = shapes::MessageAttributeValue {
            data_type: one.data_type,
            string_value: (!is_binary).then_some(one.value),
            binary_value: bytes.map(Into::into),
        };
        Ok((name, value))
    };
    let attributes: BTreeMap<_, _> =
        details.attributes.into_iter().map(attribute).collect::<Result<_, Error>>()?;
    Ok(Sent {
        message: String::from_utf8_lossy(&parcel.payload).into_owned(),
        subject: details.subject,
        structure: None,
        attributes: Some(attributes),
        deduplication: details.deduplication_id,
        group: details.group_id,
    })
}
