//! `MessageStructure`: one text for all, or one for each protocol.

use std::collections::BTreeMap;

use serde_json::Value;
use wire::Error;

use crate::error::invalid;
use crate::record::Protocol;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The same to all.
    Text(String),
    /// By protocol, with a default.
    ByProtocol { default: String, others: BTreeMap<String, String> },
}

impl Body {
    pub(super) fn parse(message: String, structure: Option<&str>) -> Result<Self, Error> {
        match structure {
            None | Some("") => Ok(Self::Text(message)),
            Some("json") => Self::by_protocol(&message),
            Some(_) => Err(invalid("MessageStructure")),
        }
    }

    fn by_protocol(message: &str) -> Result<Self, Error> {
        let failed = || invalid("Message Structure - JSON message body failed to parse");
        let parsed: BTreeMap<String, Value> = serde_json::from_str(message).map_err(|_| failed())?;
        let mut others: BTreeMap<String, String> = parsed
            .into_iter()
            .filter_map(|(protocol, value)| Some((protocol, value.as_str()?.to_owned())))
            .collect();
        let default = others
            .remove("default")
            .ok_or_else(|| invalid("Message Structure - No default entry in JSON message body"))?;
        Ok(Self::ByProtocol { default, others })
    }

    /// All that was said, to tell messages apart by.
    pub(crate) fn whole(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::ByProtocol { default, others } => {
                let others: Vec<String> =
                    others.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
                format!("{default}\n{}", others.join("\n")).into()
            }
        }
    }

    /// What an endpoint gets.
    pub(crate) fn for_protocol(&self, protocol: Protocol) -> &str {
        match self {
            Self::Text(text) => text,
            Self::ByProtocol { default, others } => others.get(protocol.name()).unwrap_or(default),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_gets_its_own_text_or_the_default() {
        let body = Body::parse(r#"{"default":"d","sqs":"q","email":7}"#.to_owned(), Some("json")).unwrap();
        assert_eq!(body.for_protocol(Protocol::Sqs), "q");
        assert_eq!(body.for_protocol(Protocol::Email), "d");
        let text = Body::parse("{".to_owned(), None).unwrap();
        assert_eq!(text.for_protocol(Protocol::Lambda), "{");
    }

    #[test]
    fn a_structure_without_a_default_is_refused() {
        let message = |text: &str| Body::parse(text.to_owned(), Some("json")).unwrap_err().message;
        assert!(message("x").ends_with("failed to parse"));
        assert!(message(r#"{"sqs":"q"}"#).ends_with("No default entry in JSON message body"));
        assert!(Body::parse("x".to_owned(), Some("xml")).is_err());
    }
}
