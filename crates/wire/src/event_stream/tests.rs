use http_body_util::BodyExt as _;

use super::*;
use crate::generated::{Bounds, Structure, member, shape};
use crate::value::Fields;

static TEXT: Shape = shape("Text", Kind::String { length: Bounds::NONE, pattern: None, values: &[] });
static BLOB: Shape = shape("Blob", Kind::Blob { length: Bounds::NONE });
static CHUNK: Shape = shape(
    "Chunk",
    Kind::Structure(Structure {
        members: &[member("Payload", Location::Payload, &BLOB)],
        payload: Some("Payload"),
        union: false,
    }),
);
static END: Shape = shape(
    "End",
    Kind::Structure(Structure {
        members: &[member("Code", Location::Body, &TEXT), member("Details", Location::Body, &TEXT)],
        payload: None,
        union: false,
    }),
);
static EVENTS: Shape = shape(
    "Events",
    Kind::Structure(Structure {
        members: &[member("Chunk", Location::Body, &CHUNK), member("End", Location::Body, &END)],
        payload: None,
        union: true,
    }),
);

crate::structure! {
    /// A part.
    Chunk = &CHUNK; { payload: Option<Bytes> = "Payload", }
}

crate::structure! {
    /// The union.
    Event = &EVENTS; { chunk: Option<Chunk> = "Chunk", }
}

fn structure(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut fields = Fields::default();
    for (name, value) in members {
        fields.set(name, value);
    }
    Value::Structure(fields)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn frames_are_those_of_awss_own_test_vectors() {
    let check = |headers: &[(&str, &str)], payload: &[u8], expected: &str| {
        assert_eq!(hexadecimal(&frame(headers, payload).unwrap()), expected);
    };
    // From the vectors that the AWS SDKs share: an empty message, and one with a payload and without headers.
    check(&[], b"", "000000100000000005c248eb7d98c8ff");
    check(&[], b"{'foo':'bar'}", "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936");
}

#[test]
fn a_blob_is_an_events_whole_payload_and_other_members_are_json() {
    let check = |event: Value, name: &str, content_type: &str, payload: &[u8]| {
        let headers = [(":event-type", name), (":content-type", content_type), (":message-type", "event")];
        assert_eq!(encode(&EVENTS, event).unwrap(), frame(&headers, payload).unwrap(), "{name}");
    };
    let chunk = structure([("Payload", Value::Blob(Bytes::from_static(b"\0\xff")))]);
    check(structure([("Chunk", chunk)]), "Chunk", "application/octet-stream", b"\0\xff");
    check(structure([("Chunk", structure([]))]), "Chunk", "application/octet-stream", b"");
    let end = structure([("Code", Value::from("X")), ("Details", Value::from("{\"a\":1}"))]);
    check(structure([("End", end)]), "End", "application/json", br#"{"Code":"X","Details":"{\"a\":1}"}"#);
    check(structure([("End", structure([]))]), "End", "application/json", b"{}");
}

#[test]
fn an_event_of_no_known_kind_is_a_fault() {
    assert!(encode(&EVENTS, structure([])).is_err());
    assert!(encode(&EVENTS, Value::Null).is_err());
}

#[tokio::test]
async fn a_sender_waits_for_the_client_and_is_told_when_it_goes() {
    let chunk = |bytes: &'static [u8]| Event { chunk: Some(Chunk { payload: Some(bytes.into()) }) };
    let (sender, stream) = EventStream::channel(1);
    let Value::Events(events) = stream.clone().into_value() else { panic!("a stream is events") };
    let mut body = EventBody::new(&events, &EVENTS).unwrap();
    assert!(EventBody::new(&events, &EVENTS).is_err(), "events are sent once");
    sender.try_send(chunk(b"a")).unwrap();
    assert!(sender.try_send(chunk(b"b")).is_err(), "nobody has taken the first");
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first[first.len() - 5], b'a');
    sender.try_send(chunk(b"b")).unwrap();
    drop(body);
    assert!(sender.send(chunk(b"c")).await.is_err());
}
