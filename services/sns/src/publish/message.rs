//! A message that may be published: what the caller sent, checked.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wire::Error;

use super::structure::Body;
use crate::error::{invalid, invalid_value};
use crate::limits::SUBJECT_CHARS;
use crate::record::TopicRecord;
use crate::shapes;

/// A checked message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) body: Body,
    pub(crate) subject: Option<String>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    /// `MessageGroupId`: on a FIFO topic always.
    pub(crate) group: Option<String>,
    /// `MessageDeduplicationId`, as sent.
    pub(crate) deduplication: Option<String>,
    /// What the message counts towards size limits, in bytes.
    pub(crate) bytes: usize,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    /// `String`, `String.Array`, `Number.int`
    pub(crate) data_type: String,
    /// Text; base64 of bytes for `Binary`.
    pub(crate) value: String,
}

/// The three kinds of attributes, and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttributeKind {
    String,
    StringArray,
    Number,
    Binary,
}

impl Attribute {
    /// What stands before the first dot of the type; `String.Array` is a kind of its own.
    pub(crate) fn kind(&self) -> Option<AttributeKind> {
        if self.data_type == "String.Array" {
            return Some(AttributeKind::StringArray);
        }
        match self.data_type.split('.').next() {
            Some("String") => Some(AttributeKind::String),
            Some("Number") => Some(AttributeKind::Number),
            Some("Binary") => Some(AttributeKind::Binary),
            _ => None,
        }
    }
}

/// What `Publish` and an entry of `PublishBatch` have in common.
pub(crate) struct Sent {
    pub(crate) message: String,
    pub(crate) subject: Option<String>,
    pub(crate) structure: Option<String>,
    pub(crate) attributes: Option<BTreeMap<String, shapes::MessageAttributeValue>>,
    pub(crate) deduplication: Option<String>,
    pub(crate) group: Option<String>,
}

impl Message {
    /// Checks what was sent to a topic.
    pub(crate) fn for_topic(sent: Sent, topic: &TopicRecord) -> Result<Self, Error> {
        let message = Self::parse(sent)?;
        if message.bytes > topic.attributes.message_bytes_max() {
            return Err(invalid("Message too long"));
        }
        match &topic.attributes.fifo {
            Some(fifo) => {
                if message.group.is_none() {
                    return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
                }
                if message.deduplication.is_none() && !fifo.content_based_deduplication {
                    return Err(invalid(
                        "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                         explicitly",
                    ));
                }
            }
            None if message.deduplication.is_some() => {
                return Err(invalid(
                    "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not \
                     valid for this topic type",
                ));
            }
            None => {}
        }
        Ok(message)
    }

    /// Checks what can be checked without knowing the topic.
    pub(crate) fn parse(sent: Sent) -> Result<Self, Error> {
        if sent.message.is_empty() {
            return Err(invalid("Empty message"));
        }
        if let Some(subject) = &sent.subject {
            check_subject(subject)?;
        }
        let attributes = attributes(sent.attributes.unwrap_or_default())?;
        let size = |(name, attribute): (&String, &Attribute)| {
            name.len() + attribute.data_type.len() + attribute.value.len()
        };
        let bytes = sent.message.len() + attributes.iter().map(size).sum::<usize>();
        Ok(Self {
            body: Body::parse(sent.message, sent.structure.as_deref())?,
            subject: sent.subject,
            attributes,
            group: checked_id("MessageGroupId", sent.group)?,
            deduplication: checked_id("MessageDeduplicationId", sent.deduplication)?,
            bytes,
        })
    }
}

/// Up to 100 characters of ASCII that begin with a letter, a digit or a punctuation mark, without line breaks.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
fn check_subject(subject: &str) -> Result<(), Error> {
    let begins_well = subject.bytes().next().is_some_and(|byte| byte.is_ascii_graphic());
    let legal = subject.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    if begins_well && legal && subject.len() <= SUBJECT_CHARS { Ok(()) } else { Err(invalid("Subject")) }
}

/// Up to 128 letters, digits and punctuation marks.
fn checked_id(name: &str, id: Option<String>) -> Result<Option<String>, Error> {
    const CHARS_MAX: usize = 128;
    match &id {
        Some(text)
            if text.is_empty()
                || text.len() > CHARS_MAX
                || !text.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Err(invalid(format_args!(
                "{name} Reason: The parameter can only contain up to 128 alphanumeric characters and punctuation marks"
            )))
        }
        _ => Ok(id),
    }
}

fn attributes(
    given: BTreeMap<String, shapes::MessageAttributeValue>,
) -> Result<BTreeMap<String, Attribute>, Error> {
    given
        .into_iter()
        .map(|(name, value)| attribute(&name, value).map(|attribute| (name, attribute)))
        .collect()
}

fn attribute(name: &str, given: shapes::MessageAttributeValue) -> Result<Attribute, Error> {
    const NAME_MAX: usize = 256;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty()
        || name.len() > NAME_MAX
        || !name.bytes().all(legal)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
    {
        return Err(invalid_value(format!(
            "Invalid non-alphanumeric character was found in the message attribute name. Can only include alphanumeric \
             characters, hyphens, underscores, or dots: '{name}'."
        )));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(invalid_value(format!(
            "The message attribute name '{name}' begins with a reserved prefix."
        )));
    }
    if given.data_type.is_empty() {
        return Err(invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        )));
    }
    let mut attribute = Attribute { data_type: given.data_type, value: String::new() };
    let Some(kind) = attribute.kind() else {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is \
             Binary, Number, and String."
        )));
    };
    let empty = || {
        invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type \
             '{}'.",
            attribute.data_type
        ))
    };
    attribute.value = match kind {
        AttributeKind::Binary => {
            let bytes: Bytes = given.binary_value.filter(|bytes| !bytes.is_empty()).ok_or_else(empty)?;
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
        }
        _ => given.string_value.filter(|text| !text.is_empty()).ok_or_else(empty)?,
    };
    check_value(name, kind, &attribute.value)?;
    Ok(attribute)
}

fn check_value(name: &str, kind: AttributeKind, value: &str) -> Result<(), Error> {
    match kind {
        AttributeKind::Number if value.parse::<f64>().ok().is_none_or(|number| !number.is_finite()) => {
            Err(invalid_value(format!("Could not cast message attribute '{name}' value to number.")))
        }
        AttributeKind::StringArray if serde_json::from_str::<Vec<serde_json::Value>>(value).is_err() => {
            Err(invalid_value(format!(
                "The message attribute '{name}' of type 'String.Array' must be a JSON array."
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &str) -> Sent {
        Sent {
            message: message.to_owned(),
            subject: None,
            structure: None,
            attributes: None,
            deduplication: None,
            group: None,
        }
    }

    fn value(
        data_type: &str,
        string: Option<&str>,
        binary: Option<&'static [u8]>,
    ) -> shapes::MessageAttributeValue {
        shapes::MessageAttributeValue {
            data_type: data_type.to_owned(),
            string_value: string.map(str::to_owned),
            binary_value: binary.map(Bytes::from_static),
        }
    }

    #[test]
    fn a_message_is_not_empty_and_has_a_fitting_subject() {
        assert_eq!(Message::parse(sent("")).unwrap_err().message, "Invalid parameter: Empty message");
        let with = |subject: &str| Message::parse(Sent { subject: Some(subject.to_owned()), ..sent("m") });
        assert!(with("Order 1: paid!").is_ok());
        for wrong in ["", " leading space", "two\nlines", "é", &"x".repeat(101)] {
            assert_eq!(with(wrong).unwrap_err().message, "Invalid parameter: Subject", "{wrong:?}");
        }
    }

    #[test]
    fn attributes_have_a_type_and_a_value_that_fit() {
        for (data_type, string, binary, ok) in [
            ("String", Some("x"), None, true),
            ("String.custom", Some("x"), None, true),
            ("Number", Some("-1.5e3"), None, true),
            ("Number.int", Some("7"), None, true),
            ("Binary", None, Some(b"\0".as_slice()), true),
            ("String.Array", Some(r#"["a", 1, null]"#), None, true),
            ("String", None, None, false),
            ("String", Some(""), None, false),
            ("Number", Some("seven"), None, false),
            ("Binary", Some("x"), None, false),
            ("String.Array", Some("a"), None, false),
            ("Text", Some("x"), None, false),
            ("", Some("x"), None, false),
        ] {
            let outcome = attribute("name", value(data_type, string, binary));
            assert_eq!(outcome.is_ok(), ok, "{data_type} {string:?}: {outcome:?}");
        }
        for name in ["", ".a", "a.", "a..b", "a b", "AWS.x", "amazon.y"] {
            assert!(attribute(name, value("String", Some("x"), None)).is_err(), "{name}");
        }
    }

    #[test]
    fn size_counts_names_types_and_values() {
        let attributes = BTreeMap::from([("ab".to_owned(), value("String", Some("cde"), None))]);
        let message = Message::parse(Sent { attributes: Some(attributes), ..sent("hello") }).unwrap();
        assert_eq!(message.bytes, 5 + 2 + 6 + 3);
    }

    #[test]
    fn fifo_topics_want_a_group_and_something_to_tell_messages_apart_by() {
        let mut topic =
            TopicRecord { attributes: Default::default(), tags: BTreeMap::new(), subscriptions_deleted: 0 };
        let grouped = || Sent { group: Some("g".to_owned()), ..sent("m") };
        assert!(Message::for_topic(grouped(), &topic).is_ok());
        let with_id = Sent { deduplication: Some("d".to_owned()), ..grouped() };
        assert!(
            Message::for_topic(with_id, &topic)
                .unwrap_err()
                .message
                .contains("not valid for this topic type")
        );
        topic.attributes.fifo = Some(Default::default());
        assert!(Message::for_topic(sent("m"), &topic).unwrap_err().message.contains("MessageGroupId"));
        assert!(
            Message::for_topic(grouped(), &topic).unwrap_err().message.contains("ContentBasedDeduplication")
        );
        topic.attributes.fifo.as_mut().unwrap().content_based_deduplication = true;
        assert!(Message::for_topic(grouped(), &topic).is_ok());
    }
}
