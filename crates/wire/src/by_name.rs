//! Calls by name: an operation's input as plain JSON under the model's own names, whatever the service's protocol is.
//!
//! It is for callers inside of the server, such as a schedule whose target is an operation of another service.

use serde_json::Value as Json;

use crate::schema::{Kind, Shape, Structure};
use crate::value::Fields;
use crate::{Error, Value};

/// Reads an input. What the operation does not have is refused: whoever wrote it meant something.
pub(crate) fn read(shape: &'static Shape, input: &Json) -> Result<Fields, Error> {
    match (shape.structure(), input) {
        (Some(structure), Json::Object(_)) => fields(structure, input),
        _ => Err(mismatch("The input", "an object")),
    }
}

fn fields(structure: &'static Structure, input: &Json) -> Result<Fields, Error> {
    let mut fields = Fields::default();
    for (name, given) in input.as_object().into_iter().flatten() {
        let member = structure.members.iter().find(|member| member.name.eq_ignore_ascii_case(name));
        let member =
            member.ok_or_else(|| Error::new("ValidationException", format!("There is no {name} here.")))?;
        fields.set(member.name, value(member.shape, given, name)?);
    }
    Ok(fields)
}

fn value(shape: &'static Shape, given: &Json, name: &str) -> Result<Value, Error> {
    let read = match (&shape.kind, given) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::String { .. }, Json::String(text)) => Some(Value::String(text.clone())),
        // Bytes are text here, as the callers mean it.
        (Kind::Blob { .. }, Json::String(text)) => Some(Value::Blob(text.clone().into())),
        (Kind::Blob { .. }, Json::Object(_) | Json::Array(_)) => Some(Value::Blob(given.to_string().into())),
        (Kind::Boolean, Json::Bool(flag)) => Some(Value::Bool(*flag)),
        (Kind::Integer { .. } | Kind::Long { .. }, Json::Number(number)) => number.as_i64().map(Value::Int),
        (Kind::Double { .. }, Json::Number(number)) => number.as_f64().map(Value::Float),
        (Kind::Timestamp, Json::Number(number)) => number.as_f64().map(seconds),
        (Kind::List { member, .. }, Json::Array(elements)) => {
            let elements = elements.iter().map(|element| value(member, element, name));
            Some(Value::List(elements.collect::<Result<_, _>>()?))
        }
        (Kind::Map { value: shape, .. }, Json::Object(entries)) => {
            let entries =
                entries.iter().map(|(key, entry)| value(shape, entry, key).map(|entry| (key.clone(), entry)));
            Some(Value::Map(entries.collect::<Result<_, _>>()?))
        }
        (Kind::Structure(structure), Json::Object(_)) => Some(Value::Structure(fields(structure, given)?)),
        _ => None,
    };
    read.ok_or_else(|| mismatch(name, shape.name))
}

fn seconds(seconds: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a moment beyond what milliseconds can count saturates"
    )]
    Value::Timestamp(domain::Timestamp((seconds * 1_000.0) as i64))
}

fn mismatch(name: &str, expected: &str) -> Error {
    Error::new("ValidationException", format!("{name} is not of the expected type ({expected})."))
}
