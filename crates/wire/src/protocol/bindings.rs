//! Members that travel outside the body: path, query, headers, status.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Malformed, form, text};
use crate::schema::{Kind, Location, Member, Structure, TimestampFormat};
use crate::value::Fields;
use crate::{Request, Value};

/// Reads them.
pub(super) fn read(structure: &Structure, request: &Request, fields: &mut Fields) -> Result<(), Malformed> {
    let wants_query = structure.members.iter().any(|member| member.location == Location::QueryString);
    let query = if wants_query { form::pairs(request.query.as_bytes())? } else { Vec::new() };
    for member in structure.members {
        let value = match member.location {
            Location::Uri => {
                request.labels.get(member.wire_name).map(|label| text::parse(member.shape, label))
            }
            Location::QueryString => from_query(member, &query),
            Location::Header => from_header(member, &request.headers),
            Location::Headers => Some(from_headers(member, &request.headers)),
            Location::Body | Location::Payload | Location::StatusCode => None,
        };
        if let Some(value) = value {
            fields.set(member.name, value?);
        }
    }
    Ok(())
}

fn from_query(member: &Member, query: &[(String, String)]) -> Option<Result<Value, Malformed>> {
    let mut found =
        query.iter().filter(|(name, _)| name == member.wire_name).map(|(_, value)| value).peekable();
    found.peek()?;
    Some(match &member.shape.kind {
        Kind::List { member, .. } => {
            found.map(|value| text::parse(member, value)).collect::<Result<_, _>>().map(Value::List)
        }
        // The last one wins, as in a JSON body.
        _ => found.last().map_or(Ok(Value::Null), |value| text::parse(member.shape, value)),
    })
}

fn from_header(member: &Member, headers: &HeaderMap) -> Option<Result<Value, Malformed>> {
    let value = headers.get(member.wire_name)?;
    Some(match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => text::parse(member.shape, value),
        Err(_) => Err(Malformed::new(format!("The header {} is not UTF-8", member.wire_name))),
    })
}

/// All headers whose name begins with the member's: `x-amz-meta-`.
fn from_headers(member: &Member, headers: &HeaderMap) -> Result<Value, Malformed> {
    let prefix = member.wire_name.to_ascii_lowercase();
    let mut map = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(&prefix), value.to_str()) {
            map.insert(key.to_owned(), Value::String(value.to_owned()));
        }
    }
    Ok(if map.is_empty() { Value::Null } else { Value::Map(map) })
}

/// Writes headers. What cannot stand in a header is a bug in a handler.
pub(super) fn write_headers(
    members: &[Member],
    fields: &Fields,
    headers: &mut HeaderMap,
) -> Result<(), Malformed> {
    for member in members {
        match (member.location, fields.get(member.name)) {
            (Location::Header, Some(value)) => {
                let format = member.timestamp_format.unwrap_or(TimestampFormat::Rfc822);
                if let Some(text) = text::format(value, format) {
                    insert(headers, member.wire_name, &text)?;
                }
            }
            (Location::Headers, Some(Value::Map(entries))) => {
                for (key, value) in entries {
                    if let Some(text) = text::format(value, TimestampFormat::Rfc822) {
                        insert(headers, &format!("{}{key}", member.wire_name), &text)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Malformed> {
    let unfit = || Malformed::new(format!("the header {name} cannot hold its value"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
    headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unfit())?);
    Ok(())
}
