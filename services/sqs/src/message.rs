//! A message as it is stored: a line of JSON about it, then its body as it came.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use store::Raw;

use crate::message_attributes::Attribute;

/// What is kept of a message besides its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `MessageId`
    pub id: String,
    /// Who sent it, as `SenderId` says it.
    pub sender: String,
    /// The sender's attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// `AWSTraceHeader`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// `MessageGroupId`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `MessageDeduplicationId`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<String>,
    /// The ARN of the queue that gave it up to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A whole message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What is kept about it.
    pub envelope: Envelope,
    /// What it says.
    pub body: Bytes,
}

impl Message {
    /// As it is stored.
    pub fn encode(&self) -> Raw {
        let head = serde_json::to_vec(&self.envelope).expect("an envelope is strings and bytes");
        let mut bytes = BytesMut::with_capacity(4 + head.len() + self.body.len());
        bytes.put_u32(u32::try_from(head.len()).expect("a message is not longer than a megabyte"));
        bytes.put_slice(&head);
        bytes.put_slice(&self.body);
        Raw(bytes.freeze())
    }

    /// A stored message again; nothing if it is damaged.
    pub fn decode(Raw(bytes): &Raw) -> Option<Self> {
        let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let envelope = serde_json::from_slice(bytes.get(4..4 + length)?).ok()?;
        Some(Self { envelope, body: bytes.slice(4 + length..) })
    }

    /// The body as text, which it was when it was sent.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Whether XML can hold the text, which is what SQS accepts.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub fn is_allowed(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_store() {
        let envelope = Envelope {
            id: "i".into(),
            sender: "s".into(),
            attributes: BTreeMap::from([("a".into(), Attribute::text("String", "v"))]),
            group: Some("g".into()),
            ..Envelope::default()
        };
        let message = Message { envelope, body: "\u{1F600} body".into() };
        assert_eq!(Message::decode(&message.encode()), Some(message));
        assert_eq!(Message::decode(&Raw("xx".into())), None);
    }

    #[test]
    fn what_xml_cannot_hold_is_not_allowed() {
        for (text, allowed) in [
            ("", true),
            ("a\tb\r\né\u{10ffff}", true),
            ("\u{0}", false),
            ("\u{b}", false),
            ("\u{ffff}", false),
        ] {
            assert_eq!(is_allowed(text), allowed, "{text:?}");
        }
    }
}
