//! The query protocol: requests as forms, answers in XML.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Malformed, form, response, text, xml};
use crate::schema::{Kind, Operation, Service, Shape, Structure};
use crate::value::Fields;
use crate::{Error, Request, Response, Value};

/// Reads a request. Parameters that the input does not have are passed over, as AWS does.
pub(super) fn decode(service: &Service, request: Request) -> Result<Fields, Malformed> {
    let form = if request.body.is_empty() { request.query.as_bytes() } else { &request.body[..] };
    let mut root = Node::default();
    for (name, value) in form::pairs(form)? {
        root.insert(&name, value)?;
    }
    match request.operation.input.structure() {
        Some(structure) => {
            let mut fields = decode_members(structure, &root)?;
            fill_endpoint(service, structure, &request, &mut fields);
            Ok(fields)
        }
        None => Ok(Fields::default()),
    }
}

/// A request may be sent to the resource itself, and then need not name it.
fn fill_endpoint(service: &Service, structure: &Structure, request: &Request, fields: &mut Fields) {
    let name = service.also_query.map(|query| query.endpoint_member).unwrap_or_default();
    let member = structure.members.iter().find(|member| member.name == name);
    if let Some(member) = member.filter(|member| fields.get(member.name).is_none())
        && let Some(address) = request.labels.get(name)
    {
        fields.set(member.name, Value::String(address.to_owned()));
    }
}

/// Deeper than any shape of a query service.
const DEPTH_MAX: usize = 32;

/// Parameters as a tree: `Tags.member.1.Key` is four nodes deep.
#[derive(Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Result<(), Malformed> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth == DEPTH_MAX {
                return Err(Malformed::new("A parameter's name is nested too deeply"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.value = Some(value);
        Ok(())
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.get(name)
    }

    /// Elements in the order of their numbers; gaps close.
    fn numbered(&self) -> Result<Vec<&Self>, Malformed> {
        let mut numbered = Vec::new();
        for (name, node) in &self.children {
            let number: u32 =
                name.parse().map_err(|_| Malformed::new(format!("{name:?} is no index of a list")))?;
            numbered.push((number, node));
        }
        numbered.sort_by_key(|(number, _)| *number);
        Ok(numbered.into_iter().map(|(_, node)| node).collect())
    }
}

fn decode_members(structure: &Structure, node: &Node) -> Result<Fields, Malformed> {
    let mut fields = Fields::default();
    for member in structure.members {
        if let Some(child) = node.child(member.xml_name()) {
            fields.set(member.name, decode_value(member.shape, child)?);
        }
    }
    Ok(fields)
}

fn decode_value(shape: &Shape, node: &Node) -> Result<Value, Malformed> {
    match &shape.kind {
        Kind::Structure(structure) => decode_members(structure, node).map(Value::Structure),
        Kind::List { member, member_name, flattened, .. } => {
            let elements = if *flattened { Some(node) } else { node.child(member_name) };
            let elements = elements.map_or(Ok(Vec::new()), Node::numbered)?;
            elements
                .into_iter()
                .map(|element| decode_value(member, element))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Kind::Map { value: shape, key_name, value_name, flattened, .. } => {
            let entries = if *flattened { Some(node) } else { node.child("entry") };
            let mut map = BTreeMap::new();
            // One entry may go without a number: `Attribute.Name=…&Attribute.Value=…`.
            let lone = entries.filter(|entry| entry.child(key_name).is_some());
            let entries = match lone {
                Some(entry) => vec![entry],
                None => entries.map_or(Ok(Vec::new()), Node::numbered)?,
            };
            for entry in entries {
                let key = entry.child(key_name).and_then(|key| key.value.clone());
                let key = key.ok_or_else(|| Malformed::new("An entry of a map has no key"))?;
                let value =
                    entry.child(value_name).map_or(Ok(Value::Null), |value| decode_value(shape, value))?;
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
        _ => match &node.value {
            Some(value) => text::parse(shape, value),
            None => Err(Malformed::new("Start of structure or map found where not expected.")),
        },
    }
}

/// Writes an answer.
pub(super) fn encode(
    service: &Service,
    operation: &Operation,
    request_id: Uuid,
    fields: &Fields,
) -> Response {
    let mut xml = xml::Writer::default();
    let outer = format!("{}Response", operation.name);
    xml.open_with_namespace(&outer, service.xml_namespace);
    if !operation.result_wrapper.is_empty() {
        xml.open(operation.result_wrapper);
        xml.members(operation.output.members(), fields);
        xml.close(operation.result_wrapper);
    }
    xml.open("ResponseMetadata");
    xml.element("RequestId", &request_id.to_string());
    xml.close("ResponseMetadata");
    xml.close(&outer);
    response(operation.status, "text/xml", xml.finish())
}

/// Writes an error.
pub(super) fn encode_error(service: &Service, request_id: Uuid, error: &Error) -> Response {
    let status = error.status(service);
    let mut xml = xml::Writer::default();
    xml.open_with_namespace("ErrorResponse", service.xml_namespace);
    xml.open("Error");
    xml.element("Type", if status >= 500 { "Receiver" } else { "Sender" });
    let other = service.query_error(&error.code);
    xml.element("Code", other.map_or(error.code.as_ref(), |other| other.query_code));
    match other.filter(|other| !other.addition.is_empty()) {
        Some(other) => {
            let start = error.message.strip_suffix('.').unwrap_or(&error.message);
            xml.element("Message", &format!("{start}{}", other.addition));
        }
        None => xml.element("Message", &error.message),
    }
    if let Some(shape) = service.error(&error.code) {
        xml.members(shape.members, &error.fields);
    }
    xml.close("Error");
    xml.element("RequestId", &request_id.to_string());
    xml.close("ErrorResponse");
    response(status, "text/xml", xml.finish())
}
