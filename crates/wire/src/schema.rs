//! What a service's model says: operations, shapes, their constraints and where each member travels.
//!
//! The values are statics, generated into each service by `cargo xtask codegen`. Codecs, validation and routing read
//! them; none of them knows a service.

pub use crate::pattern::Pattern;

/// One AWS API.
#[derive(Debug)]
pub struct Service {
    /// What the signature's scope, the endpoint and the CLI call it: `lambda`.
    pub name: &'static str,
    /// The name of the product, for people.
    pub full_name: &'static str,
    /// The model's version, `2015-03-31`. The query protocol sends it.
    pub api_version: &'static str,
    /// How operations and shapes travel.
    pub protocol: Protocol,
    /// What the query protocol calls things, for a service that still speaks it beside its own.
    pub also_query: Option<&'static AlsoQuery>,
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: &'static str,
    /// The namespace of XML answers, or empty.
    pub xml_namespace: &'static str,
    /// The error code of a broken constraint.
    pub constraint_error: &'static str,
    /// The error code of a member that is required and absent, where the service has one of its own for that.
    pub missing_error: Option<&'static str>,
    /// What stands before the names of errors in JSON: `com.amazonaws.sqs`, or empty.
    pub error_namespace: &'static str,
    /// The error code of a body that cannot be read.
    pub malformed_error: &'static str,
    /// Whether messages about broken constraints show the value.
    pub quotes_values: bool,
    /// Whether "Member must not be null" is among the constraints of elements of lists and maps.
    pub null_in_collections: bool,
    /// Every operation of the model, implemented or not, by name.
    pub operations: &'static [Operation],
    /// Every error of the model, by code.
    pub errors: &'static [ErrorShape],
}

impl Service {
    /// The protocol of a request with these headers.
    pub fn spoken(&self, headers: &http::HeaderMap) -> Protocol {
        let json = || {
            let content_type = headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
            headers.contains_key("x-amz-target")
                || content_type.is_some_and(|media| media.starts_with(b"application/x-amz-json"))
        };
        if self.also_query.is_some() && !json() { Protocol::Query } else { self.protocol }
    }

    /// Whether the query protocol is one of those it speaks.
    pub fn speaks_query(&self) -> bool {
        self.protocol == Protocol::Query || self.also_query.is_some()
    }

    /// What the query protocol calls an error, if that differs.
    pub fn query_error(&self, code: &str) -> Option<&'static QueryError> {
        self.also_query?.errors.iter().find(|error| error.code == code)
    }

    /// Finds an operation by name.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations
            .binary_search_by(|operation| operation.name.cmp(name))
            .ok()
            .map(|at| &self.operations[at])
    }

    /// Finds an error by the code that clients see.
    pub fn error(&self, code: &str) -> Option<&'static ErrorShape> {
        self.errors.binary_search_by(|error| error.code.cmp(code)).ok().map(|at| &self.errors[at])
    }
}

/// A family of wire formats.
///
/// rest-xml and rpc-v2-cbor become variants with the first service that speaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Operations by method and path, bodies in JSON.
    RestJson,
    /// Operations by `X-Amz-Target`, bodies in JSON.
    AwsJson {
        /// `1.0` or `1.1`: the end of the media type.
        version: &'static str,
    },
    /// Operations by the `Action` form field, answers in XML.
    Query,
}

/// What is particular to the query protocol at a service that moved on to another.
/// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
#[derive(Debug)]
pub struct AlsoQuery {
    /// The member that is the address of the request itself where a form leaves it out, or empty.
    pub endpoint_member: &'static str,
    /// The errors that have other names.
    pub errors: &'static [QueryError],
}

/// An error in the query protocol.
#[derive(Debug)]
pub struct QueryError {
    /// What the service's own protocol calls it.
    pub code: &'static str,
    /// What the query protocol calls it.
    pub query_code: &'static str,
    /// What follows the message's text, without its full stop.
    pub addition: &'static str,
}

/// One thing a service can be asked.
#[derive(Debug)]
pub struct Operation {
    /// `CreateFunction`
    pub name: &'static str,
    /// `POST`
    pub method: &'static str,
    /// `/2015-03-31/functions/{FunctionName}`, possibly with a fixed query.
    pub uri: &'static str,
    /// The status of success, unless a member sets it.
    pub status: u16,
    /// The request. The empty structure, if Hearth does not implement the operation.
    pub input: &'static Shape,
    /// The answer. The empty structure, if Hearth does not implement the operation.
    pub output: &'static Shape,
    /// The element around a query answer: `GetRoleResult`, or empty.
    pub result_wrapper: &'static str,
    /// Codes of the errors that the model declares.
    pub errors: &'static [&'static str],
}

/// How one error travels.
#[derive(Debug)]
pub struct ErrorShape {
    /// What clients match on: the error trait's code, or the shape's name.
    pub code: &'static str,
    /// The shape's name, which the REST and JSON protocols send.
    pub shape: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether it is the service's fault and not the caller's.
    pub fault: bool,
    /// `message` or `Message`, as the model spells it.
    pub message_key: &'static str,
    /// Members besides the message.
    pub members: &'static [Member],
}

/// A type of the model.
#[derive(Debug)]
pub struct Shape {
    /// The model's name for it.
    pub name: &'static str,
    /// What it is made of.
    pub kind: Kind,
    /// Whether its value may never be shown, in a log or an error.
    pub sensitive: bool,
}

impl Shape {
    /// The structure without members.
    pub const UNIT: &'static Self = &Self {
        name: "Unit",
        kind: Kind::Structure(Structure { members: &[], payload: None, union: false }),
        sensitive: false,
    };

    /// Whether its value, or the scalars it collects, may not be shown.
    pub fn holds_secrets(&self) -> bool {
        self.sensitive
            || match &self.kind {
                Kind::List { member, .. } => member.holds_secrets(),
                Kind::Map { key, value, .. } => key.holds_secrets() || value.holds_secrets(),
                _ => false,
            }
    }

    /// Whether it is [`Shape::UNIT`]. Operations without input or output have it.
    pub fn is_unit(&self) -> bool {
        self.name == Self::UNIT.name && self.members().is_empty()
    }

    /// The members, if it is a structure.
    pub fn members(&self) -> &'static [Member] {
        self.structure().map_or(&[], |structure| structure.members)
    }

    /// The structure it is, if it is one.
    pub fn structure(&self) -> Option<&Structure> {
        match &self.kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }
}

/// What a shape is made of, with its constraints.
#[derive(Debug)]
pub enum Kind {
    /// Text.
    String {
        /// Allowed number of characters.
        length: Bounds,
        /// A Java regular expression that the whole text must match.
        pattern: Option<Pattern>,
        /// The allowed values, if it is an enumeration.
        values: &'static [&'static str],
    },
    /// Bytes.
    Blob {
        /// Allowed number of bytes.
        length: Bounds,
    },
    /// True or false.
    Boolean,
    /// A 32-bit integer.
    Integer {
        /// Allowed values.
        range: Bounds,
    },
    /// A 64-bit integer.
    Long {
        /// Allowed values.
        range: Bounds,
    },
    /// A floating-point number.
    Double {
        /// Allowed values.
        range: Bounds,
    },
    /// A moment.
    Timestamp,
    /// An ordered collection.
    List {
        /// What it holds.
        member: &'static Shape,
        /// What XML and the query protocol call an element.
        member_name: &'static str,
        /// Whether elements travel without a wrapper in XML and the query protocol.
        flattened: bool,
        /// Allowed number of elements.
        length: Bounds,
    },
    /// Text to value.
    Map {
        /// The shape of keys.
        key: &'static Shape,
        /// The shape of values.
        value: &'static Shape,
        /// What XML and the query protocol call a key.
        key_name: &'static str,
        /// What XML and the query protocol call a value.
        value_name: &'static str,
        /// Whether entries travel without a wrapper in XML and the query protocol.
        flattened: bool,
        /// Allowed number of entries.
        length: Bounds,
    },
    /// Named members.
    Structure(Structure),
}

/// Named members.
#[derive(Debug)]
pub struct Structure {
    /// In the model's order.
    pub members: &'static [Member],
    /// The member that is the whole HTTP body.
    pub payload: Option<&'static str>,
    /// Whether exactly one member may be set.
    pub union: bool,
}

/// A named part of a structure.
#[derive(Debug)]
pub struct Member {
    /// The model's name: `FunctionName`.
    pub name: &'static str,
    /// What it is called where it travels: a header, a query parameter, a JSON key, an XML element.
    pub wire_name: &'static str,
    /// Where it travels.
    pub location: Location,
    /// Its type.
    pub shape: &'static Shape,
    /// Whether a request without it is refused.
    pub required: bool,
    /// What the query protocol calls it, if that is not the wire name.
    pub query_name: Option<&'static str>,
    /// How a moment is written, where it is not the protocol's usual way.
    pub timestamp_format: Option<TimestampFormat>,
}

impl Member {
    /// What it is called in forms and in XML.
    pub fn xml_name(&self) -> &'static str {
        self.query_name.unwrap_or(self.wire_name)
    }
}

/// Where a member travels in HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body, as one of its fields.
    Body,
    /// As the whole body.
    Payload,
    /// As a header.
    Header,
    /// As all headers with a prefix.
    Headers,
    /// As a part of the path.
    Uri,
    /// As a query parameter.
    QueryString,
    /// As the answer's status.
    StatusCode,
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since the epoch, possibly with a fraction.
    UnixTimestamp,
    /// `2026-11-20T17:38:59Z`
    Iso8601,
    /// `Fri, 20 Nov 2026 17:38:59 GMT`
    Rfc822,
}

/// Inclusive limits; either may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub min: Option<i64>,
    /// The most.
    pub max: Option<i64>,
}

impl Bounds {
    /// No limits.
    pub const NONE: Self = Self { min: None, max: None };
}
