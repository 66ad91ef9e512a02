//! What generated code needs in scope.

pub use std::collections::BTreeMap;

pub use bytes::Bytes;
pub use domain::Timestamp;

pub use crate::event_stream::EventStream;
pub use crate::record::Unit;
pub use crate::schema::{
    AlsoQuery, Bounds, ErrorShape, Kind, Location, Member, Operation, Pattern, Protocol, QueryError, Service,
    Shape, Structure, TimestampFormat,
};

/// A shape.
pub const fn shape(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, sensitive: false }
}

/// A shape whose value may never be shown.
pub const fn sensitive(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, sensitive: true }
}

/// A member that travels under its own name.
pub const fn member(name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member {
        name,
        wire_name: name,
        location,
        shape,
        required: false,
        query_name: None,
        timestamp_format: None,
    }
}

impl Member {
    /// The same member under another name where it travels.
    pub const fn named(mut self, wire_name: &'static str) -> Self {
        self.wire_name = wire_name;
        self
    }

    /// The same member under another name in the query protocol.
    pub const fn in_query(mut self, name: &'static str) -> Self {
        self.query_name = Some(name);
        self
    }

    /// The same member, which a request must have.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same member, a moment written in a way that is not the protocol's.
    pub const fn written(mut self, format: TimestampFormat) -> Self {
        self.timestamp_format = Some(format);
        self
    }
}
