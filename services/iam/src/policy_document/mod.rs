//! Policy documents: what may be stored. They are kept as given, to the letter.
//!
//! Nothing here decides what a policy allows: that is [`crate::access`].

mod identity;
mod trust;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use wire::Error;

pub(crate) use identity::check_identity_policy;
pub(crate) use trust::check_trust_policy;

use crate::error::malformed_policy;

/// RFC 3986's unreserved characters stay; everything else is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as answers carry it.
pub(crate) fn url_encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

/// What counts towards quotas: characters other than white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub(crate) fn quota_chars(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

/// One string, or a list of them; nothing if it is anything else.
pub(crate) fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The statements of a document, one or a list of them; nothing if there are none.
pub(crate) fn statements(document: &Map<String, Value>) -> Option<Vec<&Map<String, Value>>> {
    let statements = match document.get("Statement")? {
        Value::Object(only) => vec![only],
        Value::Array(values) => values.iter().map(Value::as_object).collect::<Option<_>>()?,
        _ => return None,
    };
    (!statements.is_empty()).then_some(statements)
}

/// A document's JSON, with the error that its kind of policy gives.
fn parse(document: &str, error: &str) -> Result<Map<String, Value>, Error> {
    serde_json::from_str(document).map_err(|_| malformed_policy(error))
}

fn has_duplicate_sids(statements: &[&Map<String, Value>]) -> bool {
    let mut sids: Vec<_> = statements
        .iter()
        .filter_map(|statement| statement.get("Sid")?.as_str())
        .filter(|sid| !sid.is_empty())
        .collect();
    let count = sids.len();
    sids.sort_unstable();
    sids.dedup();
    sids.len() < count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_encoded_as_rfc_3986_says() {
        assert_eq!(url_encoded(r#"{"A": "a-b._~*é"}"#), "%7B%22A%22%3A%20%22a-b._~%2A%C3%A9%22%7D");
    }

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(quota_chars("{ \"a\":\n\t\"b c\" }\r\n"), 10);
    }
}
