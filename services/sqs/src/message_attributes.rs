//! Attributes of messages: what is allowed, how much it weighs, which of them a receiver asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wire::Error;

use crate::error::{invalid_parameter, invalid_value};
use crate::limits::{ATTRIBUTE_NAME_CHARS_MAX, MESSAGE_ATTRIBUTES_MAX};
use crate::message::is_allowed;
use crate::shapes::{MessageAttributeValue, MessageSystemAttributeValue};

/// The one system attribute that a sender may set.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// An attribute's type and value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, possibly with a dot and a name of the sender's.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value.
    #[serde(flatten)]
    pub content: Content,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Of strings and numbers.
    Text(String),
    /// Of binaries.
    Binary(Vec<u8>),
}

impl Attribute {
    /// An attribute of text.
    pub fn text(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind: kind.into(), content: Content::Text(value.into()) }
    }

    /// As it travels.
    pub fn shown(self) -> MessageAttributeValue {
        let (string_value, binary_value) = match self.content {
            Content::Text(text) => (Some(text), None),
            Content::Binary(bytes) => (None, Some(Bytes::from(bytes))),
        };
        MessageAttributeValue { string_value, binary_value, data_type: self.kind, ..Default::default() }
    }

    fn bytes(&self) -> usize {
        self.kind.len()
            + match &self.content {
                Content::Text(text) => text.len(),
                Content::Binary(bytes) => bytes.len(),
            }
    }
}

/// What attributes count towards a message's size, in bytes.
pub fn weight(attributes: &BTreeMap<String, Attribute>) -> usize {
    attributes.iter().map(|(name, attribute)| name.len() + attribute.bytes()).sum()
}

/// Reads a sender's attributes.
pub fn parse(
    given: Option<BTreeMap<String, MessageAttributeValue>>,
) -> Result<BTreeMap<String, Attribute>, Error> {
    let given = given.unwrap_or_default();
    if given.len() > MESSAGE_ATTRIBUTES_MAX {
        return Err(invalid_parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MESSAGE_ATTRIBUTES_MAX}].",
            given.len()
        )));
    }
    given
        .into_iter()
        .map(|(name, value)| {
            check_name(&name)?;
            let attribute = attribute(&name, value, "user")?;
            Ok((name, attribute))
        })
        .collect()
}

/// Reads a sender's system attributes: the trace header and its type, if there is one.
pub fn parse_system(
    given: Option<BTreeMap<String, MessageSystemAttributeValue>>,
) -> Result<BTreeMap<String, Attribute>, Error> {
    given
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| {
            if name != TRACE_HEADER {
                return Err(invalid_parameter(format!(
                    "Message system attribute name '{name}' is invalid. The only one that can be sent is \
                     '{TRACE_HEADER}'."
                )));
            }
            let MessageSystemAttributeValue {
                string_value,
                binary_value,
                string_list_values,
                binary_list_values,
                data_type,
            } = value;
            let value = MessageAttributeValue {
                string_value,
                binary_value,
                string_list_values,
                binary_list_values,
                data_type,
            };
            let attribute = attribute(&name, value, "system")?;
            if attribute.kind != "String" {
                return Err(invalid_parameter(format!(
                    "Message (system) attribute '{name}' must be of type 'String'."
                )));
            }
            Ok((name, attribute))
        })
        .collect()
}

/// The trace header among system attributes.
pub fn trace(system: &BTreeMap<String, Attribute>) -> Option<String> {
    match &system.get(TRACE_HEADER)?.content {
        Content::Text(text) => Some(text.clone()),
        Content::Binary(_) => None,
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || !name.chars().all(legal) {
        return Err(invalid_parameter(format!(
            "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), \
             hyphen (-), and period (.) characters."
        )));
    }
    if name.len() > ATTRIBUTE_NAME_CHARS_MAX {
        return Err(invalid_parameter(format!(
            "Message (user) attribute name must be shorter than {ATTRIBUTE_NAME_CHARS_MAX} Bytes"
        )));
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(invalid_parameter(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for \
             internal use.",
        ));
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(invalid_parameter(format!(
            "The message attribute name '{name}' is invalid. It can't start or end with a period, or have periods in \
             succession."
        )));
    }
    Ok(())
}

fn attribute(name: &str, value: MessageAttributeValue, whose: &str) -> Result<Attribute, Error> {
    let kind = value.data_type;
    if kind.is_empty() {
        return Err(invalid_parameter(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        )));
    }
    if kind.chars().count() > ATTRIBUTE_NAME_CHARS_MAX {
        return Err(invalid_parameter(format!(
            "The type of message attribute '{name}' must be shorter than {ATTRIBUTE_NAME_CHARS_MAX} Bytes"
        )));
    }
    let (base, label) =
        kind.split_once('.').map_or((kind.as_str(), None), |(base, label)| (base, Some(label)));
    if label == Some("") || !matches!(base, "String" | "Number" | "Binary") {
        return Err(invalid_parameter(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes \
             is Binary, Number, and String."
        )));
    }
    if value.string_list_values.is_some_and(|list| !list.is_empty())
        || value.binary_list_values.is_some_and(|list| !list.is_empty())
    {
        return Err(invalid_parameter(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    let empty = || {
        invalid_parameter(format!(
            "Message ({whose}) attribute '{name}' must contain a non-empty value of type '{base}'."
        ))
    };
    let content = match base {
        "Binary" => {
            let bytes = value.binary_value.filter(|bytes| !bytes.is_empty()).ok_or_else(empty)?;
            Content::Binary(bytes.to_vec())
        }
        _ => {
            let text = value.string_value.filter(|text| !text.is_empty()).ok_or_else(empty)?;
            if !is_allowed(&text) {
                return Err(invalid_value(
                    &text,
                    &format!("MessageAttributes.{name}"),
                    "Invalid characters found.",
                ));
            }
            if base == "Number" && text.trim().parse::<f64>().is_err() {
                return Err(invalid_parameter(format!(
                    "Can't cast the value of message ({whose}) attribute '{name}' to a number."
                )));
            }
            Content::Text(text)
        }
    };
    Ok(Attribute { kind, content })
}

/// Whether a receiver asked for an attribute: by name, by `prefix.*`, or for all.
pub fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|wish| match wish.as_str() {
        "All" | ".*" | "*" => true,
        wish => wish == name || wish.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, kind: &str, text: Option<&str>, expected: Option<&str>) {
        let value = MessageAttributeValue {
            string_value: text.map(Into::into),
            data_type: kind.into(),
            ..Default::default()
        };
        let message = parse(Some(BTreeMap::from([(name.into(), value)]))).err().map(|error| error.message);
        match (message, expected) {
            (None, None) => {}
            (Some(message), Some(part)) => assert!(message.contains(part), "{message}"),
            (message, expected) => panic!("{name} {kind} {text:?}: {message:?}, not {expected:?}"),
        }
    }

    #[test]
    fn attributes_are_refused_in_awss_words() {
        check("n", "String", Some("v"), None);
        check("n", "Number.float", Some("-1.5e3"), None);
        check("n", "String", Some(""), Some("must contain a non-empty value of type 'String'."));
        check("n", "String", None, Some("must contain a non-empty value"));
        check("n", "Number", Some("x"), Some("Can't cast the value"));
        check("n", "", Some("v"), Some("must contain non-empty message attribute type"));
        check("n", "Text", Some("v"), Some("invalid message attribute type"));
        check("n", "String.", Some("v"), Some("invalid message attribute type"));
        check("n", "Binary", Some("v"), Some("must contain a non-empty value of type 'Binary'."));
        check("ö", "String", Some("v"), Some("The message attribute name 'ö' is invalid."));
        check("AWS.x", "String", Some("v"), Some("reserved for internal use"));
        check("a..b", "String", Some("v"), Some("periods in succession"));
        check("n", "String", Some("\u{1}"), Some("Invalid characters"));
    }

    #[test]
    fn receivers_ask_by_name_by_prefix_or_for_all() {
        let wanted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (names, expected) in [
            (&["All"][..], true),
            (&[".*"], true),
            (&["Hel.*"], true),
            (&["Hello"], true),
            (&["hello", "Hel"], false),
            (&[], false),
        ] {
            assert_eq!(is_wanted("Hello", &wanted(names)), expected, "{names:?}");
        }
    }
}
