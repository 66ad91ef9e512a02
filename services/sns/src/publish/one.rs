//! `Publish`

use uuid::Uuid;
use wire::{Context, Error};

use super::fan_out::{Accepted, accept};
use super::message::{Message, Sent};
use crate::arn::TopicArn;
use crate::error::{invalid, not_supported, topic_not_found};
use crate::record::{Protocol, TOPICS};
use crate::subscriptions::is_phone_number;
use crate::{Sns, access, shapes};

/// Publishes one message: to a topic, or as a text message to a telephone.
pub(crate) async fn publish(
    sns: Sns,
    cx: Context,
    input: shapes::PublishInput,
) -> Result<shapes::PublishResponse, Error> {
    let sent = Sent {
        message: input.message,
        subject: input.subject,
        structure: input.message_structure,
        attributes: input.message_attributes,
        deduplication: input.message_deduplication_id,
        group: input.message_group_id,
    };
    let accepted = match destination(input.topic_arn, input.target_arn, input.phone_number)? {
        Destination::Topic(arn) => to_topic(&sns, cx, arn, sent).await?,
        Destination::Phone(number) => {
            let message = Message::parse(sent)?;
            let id = Uuid::new_v4();
            let text = message.body.for_protocol(Protocol::Sms).to_owned();
            sns.outbox.keep(&cx.scope, &number, None, text).await?;
            Accepted { message_id: id, sequence: None }
        }
    };
    Ok(shapes::PublishResponse {
        message_id: Some(accepted.message_id.to_string()),
        sequence_number: accepted.sequence,
    })
}

enum Destination {
    Topic(TopicArn),
    Phone(String),
}

fn destination(
    topic: Option<String>,
    target: Option<String>,
    phone: Option<String>,
) -> Result<Destination, Error> {
    match (topic, target, phone) {
        (Some(arn), None, None) => TopicArn::parse(&arn).map(Destination::Topic),
        (None, Some(arn), None) if arn.contains(":endpoint/") => {
            Err(not_supported("mobile push (application endpoints)"))
        }
        (None, Some(arn), None) => TopicArn::parse(&arn)
            .map(Destination::Topic)
            .map_err(|_| invalid("TargetArn Reason: No endpoint found for the target arn specified")),
        (None, None, Some(number)) if is_phone_number(&number) => Ok(Destination::Phone(number)),
        (None, None, Some(number)) => {
            Err(invalid(format_args!("PhoneNumber Reason: {number} is not valid to publish to")))
        }
        (None, None, None) => Err(invalid("TopicArn or TargetArn Reason: no value for required parameter")),
        _ => Err(invalid("Only one of TopicArn, TargetArn and PhoneNumber may be given")),
    }
}

async fn to_topic(sns: &Sns, cx: Context, arn: TopicArn, sent: Sent) -> Result<Accepted, Error> {
    let sender = sns.clone();
    sns.write(move |tx| {
        let topic = tx.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
        access::check(&cx, &arn, &topic, "sns:Publish")?;
        let message = Message::for_topic(sent, &topic)?;
        accept(&sender, tx, (&cx).into(), &arn, &topic, message)
    })
    .await
}
