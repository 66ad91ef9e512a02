//! Every request is answered, with an id, and none with an error of ours.
#![no_main]

mod request;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use bytes::Bytes;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use wire::gateway::{Gateway, Origin, Peer};
use wire::schema::{Operation, Protocol, Service, Shape};

static OPERATIONS: [Operation; 1] = [Operation {
    name: "Get",
    method: "GET",
    uri: "/2015-03-31/things/{Name}",
    status: 200,
    input: Shape::UNIT,
    output: Shape::UNIT,
    result_wrapper: "",
    errors: &[],
}];
static REST: Service = Service { name: "rest", ..MODEL };
static JSON: Service =
    Service { name: "json", target_prefix: "Json", protocol: Protocol::AwsJson { version: "1.1" }, ..MODEL };
static QUERY: Service = Service { name: "query", protocol: Protocol::Query, ..MODEL };
const MODEL: Service = Service {
    name: "",
    full_name: "",
    api_version: "2015-03-31",
    protocol: Protocol::RestJson,
    target_prefix: "",
    xml_namespace: "",
    constraint_error: "ValidationException",
    malformed_error: "SerializationException",
    null_in_collections: false,
    also_query: None,
    missing_error: None,
    error_namespace: "",
    quotes_values: true,
    operations: &OPERATIONS,
    errors: &[],
};

static GATEWAY: LazyLock<(Gateway, tokio::runtime::Runtime)> = LazyLock::new(|| {
    let gateway = [&REST, &JSON, &QUERY].into_iter().fold(Gateway::builder(), |builder, model| {
        builder.service(wire::Service::new(model, ()).build())
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    (gateway.hostname("hearth.example").build(), runtime)
});

fuzz_target!(|data: &[u8]| {
    let Some((parts, body)) = request::request(data) else { return };
    let request = http::Request::from_parts(parts, Full::new(Bytes::copy_from_slice(body)));
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (gateway, runtime) = &*GATEWAY;
    let response = runtime.block_on(gateway.answer(request, Peer { address: loopback, local: loopback, origin: Origin::Host }));
    assert!(response.headers().contains_key("x-amzn-requestid"));
    assert!(response.status().as_u16() < 500 || response.status().as_u16() == 501);
});
