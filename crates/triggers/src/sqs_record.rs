//! A message as a function sees it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use sqs::{Attribute, Content, ReceivedMessage};

/// What stands around the records of a batch, in bytes: `{"Records":[…]}`.
const FRAME_BYTES: usize = 14;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'m> {
    message_id: &'m str,
    receipt_handle: &'m str,
    body: &'m str,
    attributes: &'m BTreeMap<&'static str, String>,
    message_attributes: BTreeMap<&'m str, MessageAttribute<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'m str>,
    md5_of_body: &'m str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'m str,
    aws_region: &'m str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageAttribute<'m> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    string_list_values: [(); 0],
    binary_list_values: [(); 0],
    data_type: &'m str,
}

/// Writes a message of a queue.
pub fn record(message: &ReceivedMessage, queue_arn: &str) -> Box<RawValue> {
    let attributes = message.attributes.iter().map(|(name, attribute)| (name.as_str(), shown(attribute)));
    let record = Record {
        message_id: &message.message_id,
        receipt_handle: &message.receipt_handle,
        body: &message.body,
        attributes: &message.system,
        message_attributes: attributes.collect(),
        md5_of_message_attributes: message.md5_of_attributes.as_deref(),
        md5_of_body: &message.md5_of_body,
        event_source: "aws:sqs",
        event_source_arn: queue_arn,
        aws_region: queue_arn.split(':').nth(3).unwrap_or_default(),
    };
    serde_json::value::to_raw_value(&record).expect("a record is text")
}

fn shown(attribute: &Attribute) -> MessageAttribute<'_> {
    let (string_value, binary_value) = match &attribute.content {
        Content::Text(text) => (Some(text.as_str()), None),
        Content::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    MessageAttribute {
        string_value,
        binary_value,
        string_list_values: [],
        binary_list_values: [],
        data_type: &attribute.kind,
    }
}

/// The event of a batch.
pub fn event<'r>(records: impl IntoIterator<Item = &'r RawValue>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Event<'r> {
        #[serde(rename = "Records")]
        records: Vec<&'r RawValue>,
    }
    serde_json::to_vec(&Event { records: records.into_iter().collect() }).expect("records are JSON")
}

/// How long the event of such records would be, in bytes.
pub fn event_bytes<'r>(records: impl IntoIterator<Item = &'r RawValue>) -> usize {
    FRAME_BYTES + records.into_iter().map(|record| record.get().len() + 1).sum::<usize>()
}
