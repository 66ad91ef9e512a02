//! E-mails and texts: they go no further than the outbox.

use super::SendError;
use super::attempt::envelope;
use crate::Sns;
use crate::parcel::{Content, Parcel};
use crate::record::Protocol;

pub(super) async fn deliver(sns: &Sns, parcel: &Parcel) -> Result<(), SendError> {
    let (subject, message) = match (&parcel.content, parcel.protocol) {
        (_, Protocol::EmailJson) => (Some(DEFAULT_SUBJECT.to_owned()), envelope(sns, parcel).await?),
        (Content::Notification { message, subject, .. }, _) => {
            let shown = subject
                .clone()
                .or_else(|| (parcel.protocol == Protocol::Email).then(|| DEFAULT_SUBJECT.to_owned()));
            (shown, message.clone())
        }
        (Content::Confirmation { token }, _) => {
            let url = crate::publish::subscribe_url(&sns.base_url, &parcel.topic, token);
            let text = format!(
                "You have chosen to subscribe to the topic:\n{}\n\nTo confirm this subscription, visit the link below:\n{url}\n",
                parcel.topic
            );
            (Some("AWS Notification - Subscription Confirmation".to_owned()), text)
        }
    };
    let scope = crate::arn::SubscriptionArn::parse(&parcel.subscription)
        .map_err(|error| SendError::Permanent(error.message))?
        .topic
        .scope;
    let kept = sns.outbox.keep(&scope, &parcel.endpoint, subject, message).await;
    kept.map_err(|error| SendError::Temporary(error.to_string()))
}

/// The subject of an e-mail whose publisher gave none.
const DEFAULT_SUBJECT: &str = "AWS Notification Message";
