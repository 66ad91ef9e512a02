//! MD5 as clients check it: of a body, and of attributes.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use crate::message_attributes::{Attribute, Content};

/// The digest of a body, in hex.
pub fn of_body(body: &[u8]) -> String {
    hex(Md5::digest(body).as_slice())
}

/// The digest of attributes, in hex: of each, by name, its name, its type, a byte for how it travels, its value; each
/// preceded by its length. Nothing if there are none.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>
pub fn of_attributes(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    let part = |digest: &mut Md5, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("a message is not longer than a megabyte");
        digest.update(length.to_be_bytes());
        digest.update(bytes);
    };
    for (name, attribute) in attributes {
        part(&mut digest, name.as_bytes());
        part(&mut digest, attribute.kind.as_bytes());
        match &attribute.content {
            Content::Text(text) => {
                digest.update([1]);
                part(&mut digest, text.as_bytes());
            }
            Content::Binary(bytes) => {
                digest.update([2]);
                part(&mut digest, bytes);
            }
        }
    }
    Some(hex(digest.finalize().as_slice()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As AWS answered them.
    #[test]
    fn digests_are_those_of_aws() {
        assert_eq!(of_body(b"test"), "098f6bcd4621d373cade4e832627b4f6");
        assert_eq!(of_attributes(&BTreeMap::new()), None);
        let check = |attributes: &[(&str, Attribute)], expected: &str| {
            let attributes =
                attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            assert_eq!(of_attributes(&attributes).as_deref(), Some(expected));
        };
        let text = |value| Attribute::text("String", value);
        check(&[("Foo", text("Bar"))], "ae7155c6026991b6d54b11589678bf9c");
        check(&[("Hello", text("There"))], "a311262e065454b75da111d535b8dacd");
        check(&[("General", text("Kenobi")), ("Hello", text("There"))], "fca026605781cb4126a1e9044df24232");
        let trace = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let binary = Attribute { kind: "Binary".into(), content: Content::Binary(trace.to_vec()) };
        check(&[("attr1", binary)], "8cbe4db156db8a94db8b801b7addb984");
    }
}
