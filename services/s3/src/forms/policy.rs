//! The policy in a browser's form: what its signer lets be posted. Pure: a text, a form and a moment in, a verdict out.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
//!
//! Texts of refusals are S3's where somebody has shown them, and of their kind where nobody has.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use s3s::S3ErrorCode;
use serde_json::{Map, Value};

use super::fields::Fields;
use crate::error::{Refusal, refuse};

/// What a policy says.
#[derive(Debug, PartialEq)]
pub(super) struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

/// How long a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) min: u64,
    pub(super) max: u64,
}

#[derive(Debug, PartialEq)]
enum Condition {
    /// The names are spelled as they are in the policy, with the `$` that they should have.
    Is {
        name: String,
        value: String,
    },
    StartsWith {
        name: String,
        value: String,
    },
    /// Limits that are no numbers no file can keep.
    Size {
        limits: Option<Sizes>,
        written: [Value; 2],
    },
}

impl Policy {
    /// Reads a policy as a form has it, in Base64.
    pub(super) fn parse(encoded: &str) -> Result<Self, Refusal> {
        let decoded = STANDARD.decode(encoded).map_err(|_| invalid("invalid Base64 encoding."))?;
        let text = String::from_utf8(decoded).map_err(|_| invalid("Invalid JSON."))?;
        let document: Map<String, Value> =
            serde_json::from_str(&as_json(&text)).map_err(|_| invalid("Invalid JSON."))?;
        if let Some(name) = document.keys().find(|name| !matches!(name.as_str(), "expiration" | "conditions"))
        {
            return Err(invalid(&format!("Unexpected: '{}'", name.to_lowercase())));
        }
        let expiration = match document.get("expiration") {
            None => return Err(invalid("Policy missing expiration.")),
            Some(Value::String(text)) => moment(text).ok_or_else(|| text.clone()),
            Some(other) => Err(other.to_string()),
        };
        let expiration =
            expiration.map_err(|text| invalid(&format!("Invalid 'expiration' value: '{text}'")))?;
        let conditions = match document.get("conditions") {
            None => return Err(invalid("Policy missing conditions.")),
            Some(Value::Array(list)) => list.iter().map(Condition::parse).collect::<Result<_, _>>()?,
            Some(_) => return Err(invalid("Invalid 'conditions' value: must be a List.")),
        };
        Ok(Self { expiration, conditions })
    }

    /// Whether a form may be posted to this bucket now; then, how long its file may be.
    pub(super) fn check(&self, form: &Fields, bucket: &str, now: Timestamp) -> Result<Sizes, Refusal> {
        if now > self.expiration {
            return Err(against("Policy expired."));
        }
        let value_of = |name: &str| if name == "bucket" { Some(bucket) } else { form.get(name) };
        let mut sizes = Sizes { min: 0, max: u64::MAX };
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Is { name, value } => field(name).and_then(|name| value_of(&name)) == Some(value),
                Condition::StartsWith { name, value } => field(name).is_some_and(|name| {
                    value_of(&name).is_some_and(|found| starts_with(&name, found, value))
                }),
                Condition::Size { limits, .. } => limits.is_some_and(|Sizes { min, max }| {
                    sizes = Sizes { min: sizes.min.max(min), max: sizes.max.min(max) };
                    true
                }),
            };
            if !holds {
                return Err(against(&format!("Policy Condition failed: {}", condition.written())));
            }
        }
        let covered: Vec<String> = self.conditions.iter().filter_map(Condition::covers).collect();
        // A policy says its bucket, whether the form does or not.
        let names = std::iter::once("bucket").chain(form.names().filter(|name| *name != "bucket"));
        let is_extra = |name: &&str| !needs_no_condition(name) && !covered.iter().any(|one| one == name);
        let extra: Vec<&str> = names.filter(is_extra).collect();
        if extra.is_empty() {
            return Ok(sizes);
        }
        Err(against(&format!("Extra input fields: {}", extra.join(", "))))
    }
}

impl Condition {
    fn parse(written: &Value) -> Result<Self, Refusal> {
        match written {
            Value::Object(members) => Self::simple(members),
            Value::Array(list) => Self::operation(list),
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    /// `{"name": "value"}`
    fn simple(members: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut members = members.iter();
        match (members.next(), members.next()) {
            (Some((name, Value::String(value))), None) => {
                Ok(Self::Is { name: format!("${name}"), value: value.clone() })
            }
            (Some((_, Value::Null)), None) => Err(invalid("Invalid JSON.")),
            (Some(_), None) => Err(invalid("Invalid Simple-Condition: value must be a string.")),
            _ => Err(invalid(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
            )),
        }
    }

    /// `["operation", "$name", "value"]`, or `["content-length-range", least, most]`
    fn operation(list: &[Value]) -> Result<Self, Refusal> {
        let Some((Value::String(operation), operands)) = list.split_first() else {
            return Err(invalid("Invalid Condition: missing operation identifier."));
        };
        let kind = operation.to_ascii_lowercase();
        if !matches!(kind.as_str(), "eq" | "starts-with" | "content-length-range") {
            return Err(invalid(&format!("Invalid Condition: unknown operation '{operation}'.")));
        }
        let [first, second] = operands else {
            return Err(invalid(&format!("Invalid {operation}: wrong number of arguments.")));
        };
        match (kind.as_str(), first, second) {
            ("content-length-range", least, most) => {
                let limits = match (limit(least)?, limit(most)?) {
                    (Some(min), Some(max)) => Some(Sizes { min, max }),
                    _ => None,
                };
                Ok(Self::Size { limits, written: [least.clone(), most.clone()] })
            }
            ("eq", Value::String(name), Value::String(value)) => {
                Ok(Self::Is { name: name.clone(), value: value.clone() })
            }
            (_, Value::String(name), Value::String(value)) => {
                Ok(Self::StartsWith { name: name.clone(), value: value.clone() })
            }
            _ => Err(invalid("Invalid JSON.")),
        }
    }

    /// The field that it is about.
    fn covers(&self) -> Option<String> {
        match self {
            Self::Is { name, .. } | Self::StartsWith { name, .. } => field(name),
            Self::Size { .. } => None,
        }
    }

    /// As refusals show it: always as a list.
    fn written(&self) -> String {
        let list = match self {
            Self::Is { name, value } => ["eq".into(), name.as_str().into(), value.as_str().into()],
            Self::StartsWith { name, value } => {
                ["starts-with".into(), name.as_str().into(), value.as_str().into()]
            }
            Self::Size { written: [least, most], .. } => {
                ["content-length-range".into(), least.clone(), most.clone()]
            }
        };
        format!("[{}]", list.map(|item: Value| item.to_string()).join(", "))
    }
}

/// The field that `$name` means, in lower case.
fn field(name: &str) -> Option<String> {
    name.strip_prefix('$').map(str::to_ascii_lowercase)
}

/// Several types of content are a list, each of which must fit; every other value is one, whatever is in it.
fn starts_with(name: &str, found: &str, wanted: &str) -> bool {
    if name == "content-type" {
        found.split(',').all(|one| one.trim_start().starts_with(wanted))
    } else {
        found.starts_with(wanted)
    }
}

/// What a form may always have. `AWSAccessKeyId` and `signature` are of the older signatures.
fn needs_no_condition(name: &str) -> bool {
    matches!(name, "x-amz-signature" | "file" | "policy" | "awsaccesskeyid" | "signature")
        || name.starts_with("x-ignore-")
}

/// A limit of a size: a number, or a text of one; nothing if it is another text.
fn limit(written: &Value) -> Result<Option<u64>, Refusal> {
    match written {
        Value::String(text) => Ok(text.parse().ok()),
        Value::Number(number) if number.as_u64().is_some() => Ok(number.as_u64()),
        Value::Number(number) if number.is_i64() => {
            Err(invalid("Invalid content-length-range: a length must not be negative."))
        }
        _ => Err(invalid("Invalid JSON.")),
    }
}

/// `2015-12-30T12:00:00.000Z`, with or without a fraction; no other zone.
fn moment(text: &str) -> Option<Timestamp> {
    let is_shaped = text.len() >= "2015-12-30T12:00:00Z".len()
        && text.as_bytes()[10] == b'T'
        && text.ends_with('Z')
        && text.is_ascii();
    let parsed: jiff::Timestamp = is_shaped.then(|| text.parse().ok())??;
    Some(Timestamp(parsed.as_millisecond()))
}

/// The same text without the two escapes that policies have and JSON has not: `\$` and `\v`.
fn as_json(text: &str) -> String {
    let (mut json, mut characters) = (String::with_capacity(text.len()), text.chars());
    while let Some(character) = characters.next() {
        if character != '\\' {
            json.push(character);
            continue;
        }
        match characters.next() {
            Some('$') => json.push('$'),
            Some('v') => json.push_str("\\u000b"),
            escaped => json.extend([Some('\\'), escaped].into_iter().flatten()),
        }
    }
    json
}

/// The policy cannot be read.
fn invalid(what: &str) -> Refusal {
    refuse(S3ErrorCode::InvalidPolicyDocument, format!("Invalid Policy: {what}"))
}

/// The policy does not let the form.
fn against(what: &str) -> Refusal {
    refuse(S3ErrorCode::AccessDenied, format!("Invalid according to Policy: {what}"))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
