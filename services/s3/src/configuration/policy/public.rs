//! Whether a policy opens something to the public.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::check::{list, statements};

/// Conditions that keep the public out if they ask for a fixed value.
const CLOSING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];
/// Operators that ask for one of the values.
const ASKING: &[&str] =
    &["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"];
/// Wider ranges of addresses are the public.
const IPV4_PREFIX_MIN: u8 = 8;
const IPV6_PREFIX_MIN: u8 = 32;

pub(super) fn is_public(document: &Value) -> bool {
    statements(document).into_iter().any(opens)
}

fn opens(statement: &Map<String, Value>) -> bool {
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return false;
    }
    let is_everybody = match statement.get("Principal") {
        Some(Value::Object(kinds)) => list(kinds.get("AWS")).iter().any(|name| name == "*"),
        Some(principal) => principal == "*",
        // All but some.
        None => true,
    };
    is_everybody && !is_closed(statement.get("Condition"))
}

fn is_closed(conditions: Option<&Value>) -> bool {
    let operators = conditions.and_then(Value::as_object).into_iter().flatten();
    operators.into_iter().any(|(operator, keys)| {
        let operator = operator.to_ascii_lowercase();
        let operator = operator.rsplit(':').next().unwrap_or_default().to_owned();
        ASKING.contains(&operator.as_str())
            && keys
                .as_object()
                .into_iter()
                .flatten()
                .any(|(key, values)| closes(&key.to_ascii_lowercase(), values))
    })
}

fn closes(key: &str, values: &Value) -> bool {
    let values = list(Some(values));
    CLOSING.contains(&key)
        && !values.is_empty()
        && values
            .iter()
            .all(|value| if key == "aws:sourceip" { is_narrow(value) } else { is_fixed(key, value) })
}

fn is_fixed(key: &str, value: &str) -> bool {
    // Whatever the session of one role is called.
    let value = if key == "aws:userid" { value.strip_suffix(":*").unwrap_or(value) } else { value };
    // Anything in one account is fixed enough for S3.
    let value = match (key, value.splitn(6, ':').collect::<Vec<_>>().as_slice()) {
        ("aws:sourcearn" | "aws:principalarn", [_, _, _, _, account, _]) if account.len() == 12 => account,
        _ => value,
    };
    !value.contains(['*', '?', '$'])
}

fn is_narrow(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "128"));
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits >= IPV4_PREFIX_MIN,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits >= IPV6_PREFIX_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_is_everybody_unless_a_fixed_value_is_asked_for() {
        let check = |principal: &str, condition: &str, expected: bool| {
            let document = format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{condition}}}]}}"#
            );
            let document = serde_json::from_str(&document).unwrap();
            assert_eq!(is_public(&document), expected, "{principal} {condition}");
        };
        check(r#""*""#, "{}", true);
        check(r#"{"AWS":"*"}"#, "{}", true);
        check(r#"{"AWS":"111111111111"}"#, "{}", false);
        check(r#"{"Service":"sns.amazonaws.com"}"#, "{}", false);
        check(r#""*""#, r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false);
        check(r#""*""#, r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, true);
        check(r#""*""#, r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#, true);
        check(r#""*""#, r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false);
        check(r#""*""#, r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}"#, true);
        check(r#""*""#, r#"{"StringEquals":{"s3:prefix":"a"}}"#, true);
        let denial = serde_json::json!({"Statement": {"Effect": "Deny", "Principal": "*"}});
        assert!(!is_public(&denial));
    }
}
