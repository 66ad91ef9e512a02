//! What a queue gets.

use std::collections::BTreeMap;

use super::SendError;
use crate::limits::RAW_ATTRIBUTES;
use crate::parcel::{Content, Parcel};
use crate::publish::AttributeKind;

/// A message for a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueMessage {
    /// The body.
    pub body: String,
    /// `MessageAttributes`
    pub attributes: BTreeMap<String, QueueAttribute>,
    /// `MessageGroupId`
    pub group: Option<String>,
    /// `MessageDeduplicationId`
    pub deduplication: Option<String>,
    /// `AWSTraceHeader`
    pub trace_header: Option<String>,
}

/// An attribute of a message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAttribute {
    /// `String`, `Number.int`
    pub data_type: String,
    /// Text; base64 of bytes if `is_binary`.
    pub value: String,
    /// Whether the value is bytes.
    pub is_binary: bool,
}

/// The message as it was published, if the subscription wants it raw.
pub(super) fn raw(parcel: &Parcel) -> Result<Option<QueueMessage>, SendError> {
    let Content::Notification { message, attributes, raw: true, .. } = &parcel.content else {
        return Ok(None);
    };
    if attributes.len() > RAW_ATTRIBUTES {
        return Err(SendError::Permanent(format!(
            "a raw message with more than {RAW_ATTRIBUTES} attributes does not fit into a queue"
        )));
    }
    let attributes = attributes.iter().map(|(name, attribute)| {
        let is_binary = attribute.kind() == Some(AttributeKind::Binary);
        // Queues know no lists.
        let data_type = match attribute.kind() {
            Some(AttributeKind::StringArray) => "String".to_owned(),
            _ => attribute.data_type.clone(),
        };
        (name.clone(), QueueAttribute { data_type, value: attribute.value.clone(), is_binary })
    });
    let attributes = attributes.collect();
    Ok(Some(QueueMessage { attributes, ..wrapped(parcel, message.clone()) }))
}

/// A message with this body.
pub(super) fn wrapped(parcel: &Parcel, body: String) -> QueueMessage {
    let (group, deduplication) = match &parcel.content {
        Content::Notification { group, deduplication, .. } => (group.clone(), deduplication.clone()),
        Content::Confirmation { .. } => (None, None),
    };
    // Only FIFO queues tell messages apart by ids.
    let deduplication = deduplication.filter(|_| parcel.endpoint.ends_with(crate::arn::FIFO_SUFFIX));
    QueueMessage {
        body,
        attributes: BTreeMap::new(),
        group,
        deduplication,
        trace_header: parcel.trace_header.clone(),
    }
}
