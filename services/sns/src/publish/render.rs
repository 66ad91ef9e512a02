//! What an endpoint receives of a message.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde_json::{Map, Value, json};

use super::message::Attribute;
use super::signature::{Signature, Signer};
use crate::record::SignatureVersion;

/// A notification, before it is put into an endpoint's form.
#[derive(Clone, Debug)]
pub(crate) struct Notification<'a> {
    pub(crate) message_id: String,
    pub(crate) topic_arn: &'a str,
    pub(crate) subscription_arn: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) message: &'a str,
    /// `2026-11-25T23:59:59.123Z`
    pub(crate) timestamp: &'a str,
    pub(crate) sequence: Option<&'a str>,
    pub(crate) attributes: &'a BTreeMap<String, Attribute>,
    pub(crate) version: SignatureVersion,
    /// `http://<host>:<port>`
    pub(crate) base_url: &'a str,
}

impl Notification<'_> {
    /// The JSON document that queues and HTTP endpoints get.
    /// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
    pub(crate) fn envelope(&self, signer: &Signer) -> String {
        let signature = self.sign(signer);
        let mut lines = Lines::default();
        lines.add("Type", &json!("Notification"));
        lines.add("MessageId", &json!(self.message_id));
        lines.add_some("SequenceNumber", self.sequence);
        lines.add("TopicArn", &json!(self.topic_arn));
        lines.add_some("Subject", self.subject);
        lines.add("Message", &json!(self.message));
        lines.add("Timestamp", &json!(self.timestamp));
        lines.add("SignatureVersion", &json!(signature.version));
        lines.add("Signature", &json!(signature.value));
        lines.add("SigningCertURL", &json!(signature.certificate_url));
        lines.add("UnsubscribeURL", &json!(self.unsubscribe_url()));
        if !self.attributes.is_empty() {
            lines.add_attributes(self.attributes);
        }
        lines.finish()
    }

    /// The event that a function gets.
    pub(crate) fn lambda_event(&self, signer: &Signer) -> String {
        let signature = self.sign(signer);
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, attribute)| {
                (name.clone(), json!({ "Type": attribute.data_type, "Value": attribute.value }))
            })
            .collect();
        json!({ "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.subscription_arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": self.message_id,
                "TopicArn": self.topic_arn,
                "Subject": self.subject,
                "Message": self.message,
                "Timestamp": self.timestamp,
                "SignatureVersion": signature.version,
                "Signature": signature.value,
                "SigningCertUrl": signature.certificate_url,
                "UnsubscribeUrl": self.unsubscribe_url(),
                "MessageAttributes": attributes,
            },
        }]})
        .to_string()
    }

    fn unsubscribe_url(&self) -> String {
        format!("{}/_hearth/sns/?Action=Unsubscribe&SubscriptionArn={}", self.base_url, self.subscription_arn)
    }

    fn sign(&self, signer: &Signer) -> Signature {
        let mut fields = vec![("Message", self.message), ("MessageId", self.message_id.as_str())];
        fields.extend(self.subject.map(|subject| ("Subject", subject)));
        fields.extend([
            ("Timestamp", self.timestamp),
            ("TopicArn", self.topic_arn),
            ("Type", "Notification"),
        ]);
        signer.sign(self.version, self.base_url, &fields)
    }
}

/// The question whether an endpoint wants to be subscribed.
pub(crate) struct Question<'a> {
    pub(crate) message_id: String,
    pub(crate) topic_arn: &'a str,
    pub(crate) token: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) version: SignatureVersion,
    pub(crate) base_url: &'a str,
}

impl Question<'_> {
    /// The JSON document of a `SubscriptionConfirmation`.
    pub(crate) fn envelope(&self, signer: &Signer) -> String {
        let message = format!(
            "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included \
             in this message.",
            self.topic_arn
        );
        let url = subscribe_url(self.base_url, self.topic_arn, self.token);
        let fields = [
            ("Message", message.as_str()),
            ("MessageId", self.message_id.as_str()),
            ("SubscribeURL", url.as_str()),
            ("Timestamp", self.timestamp),
            ("Token", self.token),
            ("TopicArn", self.topic_arn),
            ("Type", "SubscriptionConfirmation"),
        ];
        let signature = signer.sign(self.version, self.base_url, &fields);
        let mut lines = Lines::default();
        lines.add("Type", &json!("SubscriptionConfirmation"));
        lines.add("MessageId", &json!(self.message_id));
        lines.add("Token", &json!(self.token));
        lines.add("TopicArn", &json!(self.topic_arn));
        lines.add("Message", &json!(message));
        lines.add("SubscribeURL", &json!(url));
        lines.add("Timestamp", &json!(self.timestamp));
        lines.add("SignatureVersion", &json!(signature.version));
        lines.add("Signature", &json!(signature.value));
        lines.add("SigningCertURL", &json!(signature.certificate_url));
        lines.finish()
    }
}

/// Where a visit confirms a subscription.
pub(crate) fn subscribe_url(base_url: &str, topic_arn: &str, token: &str) -> String {
    format!("{base_url}/_hearth/sns/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}")
}

/// `2026-11-25T23:59:59.123Z`
pub(crate) fn time_shown(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.epoch_ms()) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => "9999-12-31T23:59:59.999Z".to_owned(),
    }
}

/// A JSON object as SNS writes it: a member a line, in its own order.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, name: &str, value: &Value) {
        self.0.push(format!("  \"{name}\" : {value}"));
    }

    fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, &json!(value));
        }
    }

    fn add_attributes(&mut self, attributes: &BTreeMap<String, Attribute>) {
        let lines: Vec<String> = attributes
            .iter()
            .map(|(name, attribute)| {
                let (kind, value) = (json!(attribute.data_type), json!(attribute.value));
                format!("    {} : {{\"Type\":{kind},\"Value\":{value}}}", json!(name))
            })
            .collect();
        self.0.push(format!("  \"MessageAttributes\" : {{\n{}\n  }}", lines.join(",\n")));
    }

    fn finish(self) -> String {
        format!("{{\n{}\n}}", self.0.join(",\n"))
    }
}
