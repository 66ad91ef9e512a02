//! What may be set of a topic, one attribute at a time.

use std::collections::BTreeMap;

use wire::Error;

use crate::error::{invalid, not_supported};
use crate::limits::MESSAGE_BYTES;
use crate::record::{Fifo, SignatureVersion, TopicAttributes};

/// The attributes of a topic in the making.
pub(super) fn of_new(
    given: Option<BTreeMap<String, String>>,
    name_is_fifo: bool,
) -> Result<TopicAttributes, Error> {
    let mut given = given.unwrap_or_default();
    let fifo = given.remove("FifoTopic").map(|value| flag("FifoTopic", &value)).transpose()?;
    match (fifo, name_is_fifo) {
        (Some(true), false) => {
            return Err(invalid(
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII \
                 letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.",
            ));
        }
        (None | Some(false), true) => return Err(invalid("Topic Name")),
        _ => {}
    }
    let mut attributes = TopicAttributes { fifo: name_is_fifo.then(Fifo::default), ..Default::default() };
    for (name, value) in given {
        apply(&mut attributes, &name, &value).map_err(|error| in_attributes(&error))?;
    }
    Ok(attributes)
}

fn in_attributes(error: &Error) -> Error {
    let reason = error.message.strip_prefix("Invalid parameter: ").unwrap_or(&error.message);
    invalid(format_args!("Attributes Reason: {reason}"))
}

/// Sets one attribute. An empty value takes it back.
pub(super) fn apply(attributes: &mut TopicAttributes, name: &str, value: &str) -> Result<(), Error> {
    let some = || (!value.is_empty()).then(|| value.to_owned());
    match name {
        "DisplayName" => attributes.display_name = display_name(value)?,
        "Policy" => {
            if let Some(policy) = some() {
                super::policy::check(&policy)?;
            }
            attributes.policy = some();
        }
        "DeliveryPolicy" => {
            if let Some(policy) = some() {
                crate::delivery_policy::Document::parse(&policy)?;
            }
            attributes.delivery_policy = some();
        }
        "KmsMasterKeyId" if value.is_empty() => attributes.kms_master_key_id = None,
        // Hearth has no key service yet, and a message that is not encrypted must not look as if it were.
        "KmsMasterKeyId" => return Err(not_supported("encryption of topics (KmsMasterKeyId)")),
        "SignatureVersion" => {
            attributes.signature_version = Some(match value {
                "1" => SignatureVersion::One,
                "2" => SignatureVersion::Two,
                _ => return Err(invalid("SignatureVersion")),
            });
        }
        "TracingConfig" => match value {
            "PassThrough" | "Active" => attributes.tracing = Some(value.to_owned()),
            _ => return Err(invalid("TracingConfig")),
        },
        "MaximumMessageSize" => {
            let bytes = value.parse().ok().filter(|bytes| MESSAGE_BYTES.contains(bytes));
            attributes.message_bytes_max = Some(bytes.ok_or_else(|| invalid("MaximumMessageSize"))?);
        }
        "ContentBasedDeduplication" => {
            fifo_only(attributes, name)?.content_based_deduplication = flag(name, value)?;
        }
        "FifoThroughputScope" => {
            fifo_only(attributes, name)?.throughput_per_group = match value {
                "Topic" => false,
                "MessageGroup" => true,
                _ => return Err(invalid(name)),
            };
        }
        "FifoTopic" => return Err(invalid("AttributeName")),
        "ArchivePolicy" if value.is_empty() || value == "{}" => {}
        "ArchivePolicy" => return Err(not_supported("archives of messages (ArchivePolicy)")),
        feedback if feedback.ends_with("FeedbackRoleArn") || feedback.ends_with("FeedbackSampleRate") => {
            if !value.is_empty() {
                return Err(not_supported(&format!("delivery status logging ({name})")));
            }
        }
        _ => return Err(invalid("AttributeName")),
    }
    Ok(())
}

fn fifo_only<'a>(attributes: &'a mut TopicAttributes, name: &str) -> Result<&'a mut Fifo, Error> {
    attributes.fifo.as_mut().ok_or_else(|| {
        invalid(format_args!("{name} Reason: {name} attribute can only be set when FifoTopic is set to true"))
    })
}

fn flag(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid(name)),
    }
}

/// At most 100 characters, without line breaks, beginning with what can be read.
fn display_name(value: &str) -> Result<String, Error> {
    const CHARS_MAX: usize = 100;
    if value.chars().count() > CHARS_MAX || value.chars().any(char::is_control) {
        return Err(invalid("DisplayName"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<TopicAttributes, String> {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        of_new(Some(given), false).map_err(|error| error.message)
    }

    #[test]
    fn each_attribute_is_kept_or_refused() {
        assert_eq!(one("DisplayName", "Orders").unwrap().display_name, "Orders");
        assert_eq!(one("SignatureVersion", "2").unwrap().signature_version, Some(SignatureVersion::Two));
        assert_eq!(one("MaximumMessageSize", "1048576").unwrap().message_bytes_max(), 1_048_576);
        for (name, value, message) in [
            ("SignatureVersion", "3", "Invalid parameter: Attributes Reason: SignatureVersion"),
            ("MaximumMessageSize", "1000", "Invalid parameter: Attributes Reason: MaximumMessageSize"),
            ("Nonsense", "x", "Invalid parameter: Attributes Reason: AttributeName"),
            ("FifoTopic", "maybe", "Invalid parameter: FifoTopic"),
        ] {
            assert_eq!(one(name, value).unwrap_err(), message);
        }
        assert!(one("ContentBasedDeduplication", "true").unwrap_err().contains("FifoTopic"));
        assert!(one("KmsMasterKeyId", "alias/aws/sns").unwrap_err().contains("does not support encryption"));
        assert!(one("HTTPSuccessFeedbackRoleArn", "arn:…").unwrap_err().contains("delivery status logging"));
    }

    #[test]
    fn a_fifo_topic_is_one_by_name_and_by_attribute() {
        let fifo = |value: &str| Some(BTreeMap::from([("FifoTopic".to_owned(), value.to_owned())]));
        assert!(of_new(fifo("true"), true).unwrap().fifo.is_some());
        assert!(of_new(fifo("true"), false).unwrap_err().message.contains("must end with .fifo"));
        assert_eq!(of_new(None, true).unwrap_err().message, "Invalid parameter: Topic Name");
    }
}
