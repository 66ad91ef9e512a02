//! Scalars that travel as text: in headers, paths, queries, forms and XML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Malformed, time};
use crate::Value;
use crate::schema::{Bounds, Kind, Shape, TimestampFormat};

/// Reads a scalar.
pub(super) fn parse(shape: &Shape, text: &str) -> Result<Value, Malformed> {
    let cannot = |target: &str| Malformed::new(format!("STRING_VALUE can not be converted to {target}"));
    Ok(match &shape.kind {
        Kind::String { .. } => Value::String(text.to_owned()),
        Kind::Integer { range } => Value::Int(
            integer(text.parse().map_err(|_| cannot("an Integer"))?, range).ok_or(cannot("an Integer"))?,
        ),
        Kind::Long { .. } => Value::Int(text.parse().map_err(|_| cannot("a Long"))?),
        Kind::Double { .. } => match text.parse::<f64>() {
            Ok(number) => Value::Float(number),
            Err(_) => return Err(cannot("a Double")),
        },
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        Kind::Boolean => return Err(cannot("a Boolean")),
        Kind::Timestamp => Value::Timestamp(time::parse(text)?),
        Kind::Blob { .. } => Value::Blob(blob(text)?),
        Kind::List { .. } => return Err(Malformed::new("Expected list or null")),
        Kind::Map { .. } | Kind::Structure(_) => return Err(Malformed::new("Expected null")),
    })
}

/// Writes a scalar; nothing for what is not one.
pub(super) fn format(value: &Value, moment: TimestampFormat) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Blob(bytes) => Some(STANDARD.encode(bytes)),
        Value::Timestamp(time) => Some(time::format(*time, moment)),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Structure(_) | Value::Events(_) => None,
    }
}

/// Reads base64.
pub(super) fn blob(text: &str) -> Result<Bytes, Malformed> {
    STANDARD
        .decode(text)
        .map(Bytes::from)
        // The text is not quoted: it may be megabytes of a package.
        .map_err(|error| Malformed::new(format!("The blob is not valid base64: {error}")))
}

/// Fits a number into 32 bits. One that is too large for them breaks the shape's limit if it has one, as AWS answers
/// (Athena, measured: 99999999999 for an Integer of at most 50 is "Member must have value less than or equal to 50"),
/// and is unreadable if it has none.
pub(super) fn integer(number: i64, range: &Bounds) -> Option<i64> {
    let fits = i32::try_from(number).is_ok();
    let breaks = range.max.is_some_and(|max| number > max) || range.min.is_some_and(|min| number < min);
    (fits || breaks).then_some(number)
}
