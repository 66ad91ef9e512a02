//! JSON: the whole of the AWS JSON protocols, and the bodies of rest-json.

use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{Malformed, response, text, time};
use crate::schema::{Bounds, Kind, Location, Member, Operation, Service, Shape, Structure, TimestampFormat};
use crate::value::Fields;
use crate::{Error, Response, Value};

/// Reads the body of a structure. An empty body is an empty structure.
pub(super) fn decode(shape: &'static Shape, body: &[u8]) -> Result<Fields, Malformed> {
    if body.is_empty() {
        return Ok(Fields::default());
    }
    // serde_json bounds the depth at 128 by itself.
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Seed { shape }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Value::Structure(fields)) => Ok(fields),
        // AWS says nothing here; that a null is no structure is worth a word.
        Ok(_) => Err(Malformed::new("Expected a structure")),
        Err(error) => Err(explain(&error)),
    }
}

/// Our own words if the types were wrong, serde's if it is not JSON at all.
fn explain(error: &serde_json::Error) -> Malformed {
    let text = error.to_string();
    if error.is_data() {
        let end = text.rfind(" at line ").unwrap_or(text.len());
        return Malformed::new(&text[..end]);
    }
    Malformed::new(format!("The request body is not valid JSON: {text}"))
}

/// Writes an answer of the AWS JSON protocols.
pub(super) fn answer(operation: &Operation, version: &str, fields: &Fields) -> Result<Response, Malformed> {
    let body = if operation.output.is_unit() { Vec::new() } else { encode(operation.output, fields)? };
    Ok(response(operation.status, media_type(version), body))
}

/// Writes the members of a structure that travel in the body.
pub(super) fn encode(shape: &Shape, fields: &Fields) -> Result<Vec<u8>, Malformed> {
    serde_json::to_vec(&Body { members: shape.members(), fields })
        .map_err(|error| Malformed::new(error.to_string()))
}

/// Writes one value, for a payload.
pub(super) fn encode_value(shape: &Shape, value: &Value) -> Result<Vec<u8>, Malformed> {
    serde_json::to_vec(&Typed { shape, value, format: None })
        .map_err(|error| Malformed::new(error.to_string()))
}

/// Writes an error of the AWS JSON protocols.
pub(super) fn encode_error(service: &Service, version: &str, error: &Error) -> Response {
    let shape = service.error(&error.code);
    let name = shape.map_or(error.code.as_ref(), |shape| shape.shape);
    let kind = match (service.error_namespace, shape) {
        ("", _) => name.to_owned(),
        (namespace, Some(_)) => format!("{namespace}#{name}"),
        // What the service does not declare comes from the framework beneath it.
        (_, None) => format!("com.amazon.coral.service#{name}"),
    };
    let written = ErrorBody {
        kind: Some(&kind),
        message_key: shape.map_or_else(|| unmodelled_message_key(&error.code), |shape| shape.message_key),
        message: &error.message,
        members: shape.map_or(&[], |shape| shape.members),
        fields: &error.fields,
    };
    let mut answer = response(error.status(service), media_type(version), written.to_vec());
    if service.also_query.is_some() {
        tell_query_name(service, error, &mut answer);
    }
    answer
}

/// Clients that were written against the query protocol go on to match its names.
fn tell_query_name(service: &Service, error: &Error, answer: &mut Response) {
    let name = service.query_error(&error.code).map_or(error.code.as_ref(), |other| other.query_code);
    let fault = if answer.status.is_server_error() { "Receiver" } else { "Sender" };
    if let Ok(value) = HeaderValue::from_str(&format!("{name};{fault}")) {
        answer.headers.insert(HeaderName::from_static("x-amzn-query-error"), value);
    }
}

/// What Coral's own errors call their message, where the service's model does not have them. Measured on Athena:
/// `{"__type":"SerializationException","Message":…}`.
fn unmodelled_message_key(code: &str) -> &'static str {
    match code {
        "SerializationException" | "AccessDeniedException" => "Message",
        _ => "message",
    }
}

fn media_type(version: &str) -> &'static str {
    match version {
        "1.0" => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
}

/// An error's JSON, for every protocol that has one.
pub(super) struct ErrorBody<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) message_key: &'static str,
    pub(super) message: &'a str,
    pub(super) members: &'static [Member],
    pub(super) fields: &'a Fields,
}

impl ErrorBody<'_> {
    pub(super) fn to_vec(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and values of a model can be written")
    }
}

impl Serialize for ErrorBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(kind) = self.kind {
            map.serialize_entry("__type", kind)?;
        }
        members(&mut map, self.members, self.fields)?;
        map.serialize_entry(self.message_key, self.message)?;
        map.end()
    }
}

struct Body<'a> {
    members: &'static [Member],
    fields: &'a Fields,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        members(&mut map, self.members, self.fields)?;
        map.end()
    }
}

fn members<M: SerializeMap>(
    map: &mut M,
    members: &'static [Member],
    fields: &Fields,
) -> Result<(), M::Error> {
    for member in members.iter().filter(|member| member.location == Location::Body) {
        if let Some(value) = fields.get(member.name).filter(|value| **value != Value::Null) {
            let typed = Typed { shape: member.shape, value, format: member.timestamp_format };
            map.serialize_entry(member.wire_name, &typed)?;
        }
    }
    Ok(())
}

/// A value with what the model says of it.
struct Typed<'a> {
    shape: &'a Shape,
    value: &'a Value,
    format: Option<TimestampFormat>,
}

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, &self.shape.kind) {
            (Value::Null, _) => serializer.serialize_unit(),
            (Value::Bool(flag), _) => serializer.serialize_bool(*flag),
            (Value::Int(number), _) => serializer.serialize_i64(*number),
            (Value::Float(number), _) => serializer.serialize_f64(*number),
            (Value::String(text), _) => serializer.serialize_str(text),
            (Value::Blob(_), _) => serializer
                .serialize_str(&text::format(self.value, TimestampFormat::UnixTimestamp).unwrap_or_default()),
            (Value::Timestamp(moment), _) => match self.format {
                None | Some(TimestampFormat::UnixTimestamp) if moment.epoch_ms() % 1000 == 0 => {
                    serializer.serialize_i64(moment.epoch_ms() / 1000)
                }
                None | Some(TimestampFormat::UnixTimestamp) => {
                    serializer.serialize_f64(moment.epoch_seconds())
                }
                Some(format) => serializer.serialize_str(&time::format(*moment, format)),
            },
            (Value::List(values), Kind::List { member, .. }) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Typed { shape: member, value, format: None })?;
                }
                list.end()
            }
            (Value::Map(entries), Kind::Map { value: shape, .. }) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Typed { shape, value, format: None })?;
                }
                map.end()
            }
            (Value::Structure(fields), Kind::Structure(Structure { members, .. })) => {
                Body { members, fields }.serialize(serializer)
            }
            (Value::List(_) | Value::Map(_) | Value::Structure(_) | Value::Events(_), _) => {
                Err(serde::ser::Error::custom(format!("{} has a value of another type", self.shape.name)))
            }
        }
    }
}

/// Reads a value of a shape.
#[derive(Clone, Copy)]
struct Seed {
    shape: &'static Shape,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a scalar is told that stands where something else belongs: AWS's words, measured on Athena.
fn misplaced<E: serde::de::Error>(shape: &Shape, found: &str) -> E {
    E::custom(match &shape.kind {
        Kind::String { .. } => format!("{found} can not be converted to a String"),
        Kind::Integer { .. } => format!("{found} can not be converted to an Integer"),
        Kind::Long { .. } => format!("{found} can not be converted to a Long"),
        Kind::Double { .. } => format!("{found} can not be converted to a Double"),
        Kind::Boolean => format!("{found} can not be converted to a Boolean"),
        Kind::Timestamp => format!("{found} can not be converted to a Timestamp"),
        Kind::Blob { .. } => format!("{found} can not be converted to a Blob"),
        Kind::List { .. } => "Expected list or null".to_owned(),
        Kind::Map { .. } | Kind::Structure(_) => "Expected null".to_owned(),
    })
}

impl Seed {
    fn whole<E: serde::de::Error>(self, number: Option<i64>, range: &Bounds, long: bool) -> Result<Value, E> {
        let fitting =
            number.and_then(|number| if long { Some(number) } else { text::integer(number, range) });
        fitting.map(Value::Int).ok_or_else(|| misplaced(self.shape, "NUMBER_VALUE"))
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shape.name)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        match self.shape.kind {
            Kind::Boolean => Ok(Value::Bool(flag)),
            _ => Err(misplaced(self.shape, if flag { "TRUE_VALUE" } else { "FALSE_VALUE" })),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        match &self.shape.kind {
            Kind::Integer { range } => self.whole(Some(number), range, false),
            Kind::Long { range } => self.whole(Some(number), range, true),
            _ => self.visit_f64(number as f64),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        match &self.shape.kind {
            Kind::Integer { range } => {
                self.whole(Some(i64::try_from(number).unwrap_or(i64::MAX)), range, false)
            }
            Kind::Long { range } => self.whole(i64::try_from(number).ok(), range, true),
            _ => self.visit_f64(number as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        // 2^53: beyond it a fraction could have been lost before we looked.
        let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        let whole = exact.then_some(number as i64);
        match &self.shape.kind {
            Kind::Double { .. } => Ok(Value::Float(number)),
            Kind::Integer { range } => self.whole(whole, range, false),
            Kind::Long { range } => self.whole(whole, range, true),
            Kind::Timestamp => {
                time::from_seconds(number).map(Value::Timestamp).map_err(|Malformed(text)| E::custom(text))
            }
            _ => Err(misplaced(self.shape, "NUMBER_VALUE")),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        match self.shape.kind {
            Kind::String { .. } => Ok(Value::String(text.to_owned())),
            Kind::Blob { .. } => text::blob(text).map(Value::Blob).map_err(|Malformed(text)| E::custom(text)),
            Kind::Timestamp => {
                time::parse(text).map(Value::Timestamp).map_err(|Malformed(text)| E::custom(text))
            }
            Kind::Double { .. } => match text {
                "NaN" => Ok(Value::Float(f64::NAN)),
                "Infinity" => Ok(Value::Float(f64::INFINITY)),
                "-Infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
                _ => Err(misplaced(self.shape, "STRING_VALUE")),
            },
            _ => Err(misplaced(self.shape, "STRING_VALUE")),
        }
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        match self.shape.kind {
            Kind::String { .. } => Ok(Value::String(text)),
            _ => self.visit_str(&text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let Kind::List { member, .. } = self.shape.kind else {
            return Err(serde::de::Error::custom("Start of list found where not expected"));
        };
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(Self { shape: member })? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        match &self.shape.kind {
            Kind::Structure(Structure { members, .. }) => {
                let mut fields = Fields::default();
                while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
                    let body =
                        |member: &&Member| member.location == Location::Body && member.wire_name == key;
                    match members.iter().find(body) {
                        Some(member) => {
                            let value = entries.next_value_seed(Self { shape: member.shape })?;
                            fields.set(member.name, value);
                        }
                        // As AWS does.
                        None => {
                            entries.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Value::Structure(fields))
            }
            Kind::Map { value: shape, .. } => {
                let mut map = std::collections::BTreeMap::new();
                while let Some(key) = entries.next_key::<String>()? {
                    map.insert(key, entries.next_value_seed(Self { shape })?);
                }
                Ok(Value::Map(map))
            }
            _ => Err(serde::de::Error::custom("Start of structure or map found where not expected.")),
        }
    }
}
