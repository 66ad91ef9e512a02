//! The service as its callers see it: handlers called as the gateway calls them, on a store of their own.

mod events;
mod filter;
mod groups;
mod ingest;
mod janitor;
mod speed;
mod streams;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clock::Time;
use domain::{LogLine, Principal, Scope, Timestamp};
use store::{Location, Options, Scan, Store, Table};
use tokio::sync::mpsc;
use wire::{Context, Error};

use crate::shapes::{
    CreateLogGroupRequest, CreateLogStreamRequest, FilterLogEventsRequest, FilterLogEventsResponse,
    InputLogEvent, PutLogEventsRequest, PutLogEventsResponse,
};
use crate::{Logs, events as handlers, groups as group_handlers, streams as stream_handlers};

/// When the tests begin.
pub const NOW: i64 = 1_800_000_000_000;
pub const HOUR: i64 = 60 * 60 * 1000;
pub const DAY: i64 = 24 * HOUR;

pub struct Server {
    pub logs: Logs,
    pub lines: mpsc::Sender<LogLine>,
    /// Stands still until it is moved.
    pub time: Time,
}

impl Server {
    pub fn start() -> Self {
        Self::start_at(Location::Ephemeral)
    }

    pub fn start_at(location: Location) -> Self {
        Self::start_with(location, None)
    }

    pub fn start_with(location: Location, quota_bytes: Option<u64>) -> Self {
        let store = Store::open(&Options { location }).unwrap();
        let time = Time::virtual_at(Timestamp(NOW));
        let (lines, receiver) = mpsc::channel(256);
        let logs = Logs::start(store, time.clone(), quota_bytes, receiver);
        Self { logs, lines, time }
    }

    /// Moves the clock on, through whatever becomes due.
    pub async fn advance(&self, span_ms: i64) {
        let span = Duration::from_millis(span_ms.unsigned_abs());
        self.time.advance(span, Duration::from_secs(10)).await.unwrap();
    }

    /// A server with a group `g` and a stream `s`.
    pub async fn with_stream() -> Self {
        let server = Self::start();
        server.create_group("g").await.unwrap();
        server.create_stream("g", "s").await.unwrap();
        server
    }

    pub async fn create_group(&self, name: &str) -> Result<(), Error> {
        let input = CreateLogGroupRequest { log_group_name: name.into(), ..Default::default() };
        group_handlers::create(self.logs.clone(), cx(), input).await.map(drop)
    }

    pub async fn create_stream(&self, group: &str, stream: &str) -> Result<(), Error> {
        let input = CreateLogStreamRequest { log_group_name: group.into(), log_stream_name: stream.into() };
        stream_handlers::create(self.logs.clone(), cx(), input).await.map(drop)
    }

    pub async fn put(&self, stream: &str, events: &[(i64, &str)]) -> Result<PutLogEventsResponse, Error> {
        let event = |(timestamp, message): &(i64, &str)| InputLogEvent {
            timestamp: *timestamp,
            message: (*message).to_owned(),
        };
        let input = PutLogEventsRequest {
            log_group_name: "g".into(),
            log_stream_name: stream.into(),
            log_events: events.iter().map(event).collect(),
            ..Default::default()
        };
        handlers::put(self.logs.clone(), cx(), input).await
    }

    pub async fn filter(&self, input: FilterLogEventsRequest) -> Result<FilterLogEventsResponse, Error> {
        handlers::filter(self.logs.clone(), cx(), input).await
    }

    /// Every message of a group, through all pages.
    pub async fn messages(&self, group: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut input = in_group(group);
        loop {
            let page = self.filter(input.clone()).await.unwrap();
            found.extend(messages(&page));
            input.next_token = page.next_token;
            if input.next_token.is_none() {
                return found;
            }
        }
    }

    /// Sends a function's line.
    pub async fn print(&self, group: &str, stream: &str, at: i64, message: &str) {
        self.lines.send(line(group, stream, at, message)).await.unwrap();
    }

    /// Waits until a table has so many rows.
    pub async fn until_rows<K: store::Key, V: store::Value>(&self, table: &'static Table<K, V>, rows: usize) {
        let mut bell = self.logs.store.watch(table);
        let counted = async {
            while self.rows(table) != rows {
                bell.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), counted).await;
        waited.unwrap_or_else(|_| panic!("{} has {} rows, not {rows}", table.name(), self.rows(table)));
    }

    pub fn rows<K: store::Key, V: store::Value>(&self, table: &Table<K, V>) -> usize {
        self.logs.store.read(|snapshot| snapshot.count(table, &Scan::all())).unwrap()
    }

    /// Stops as the server does.
    pub async fn stop(self) {
        drop(self.lines);
        tokio::time::timeout(Duration::from_secs(60), self.logs.drain()).await.unwrap();
    }
}

pub fn cx() -> Context {
    Context {
        request_id: uuid::Uuid::nil(),
        scope: Scope::default(),
        principal: Principal::Root(Scope::default().account),
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: http::HeaderMap::new(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

pub fn line(group: &str, stream: &str, at: i64, message: &str) -> LogLine {
    LogLine {
        scope: Scope::default(),
        group: group.into(),
        stream: stream.into(),
        at: Timestamp(at),
        message: message.to_owned(),
    }
}

pub fn in_group(group: &str) -> FilterLogEventsRequest {
    FilterLogEventsRequest { log_group_name: Some(group.into()), ..Default::default() }
}

pub fn messages(page: &FilterLogEventsResponse) -> Vec<String> {
    page.events.iter().flatten().map(|event| event.message.clone().unwrap()).collect()
}

#[track_caller]
pub fn check_error<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

/// Sends JSON as a client does.
async fn send(service: &wire::Service, operation: &str, body: &str) -> (u16, String) {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert("x-amz-target", format!("Logs_20140328.{operation}").parse().unwrap());
    let (operation, labels) = service.route(&http::Method::POST, "/", "", &headers, body.as_bytes()).unwrap();
    let body = body.to_owned().into();
    let request = wire::Request { operation, labels, query: String::new(), headers, body };
    let wire::Response { status, body: wire::Body::Bytes(body), .. } = service.handle(cx(), request).await
    else {
        panic!("none of these streams")
    };
    (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_operation_with_shapes_has_a_handler() {
    let server = Server::start();
    let service = crate::service(server.logs.clone());
    let has_shapes = |operation: &&wire::schema::Operation| {
        !operation.input.members().is_empty() || !operation.output.members().is_empty()
    };
    let mut with_shapes: Vec<_> =
        crate::shapes::SERVICE.operations.iter().filter(has_shapes).map(|operation| operation.name).collect();
    let mut implemented: Vec<_> = service.implemented().collect();
    with_shapes.sort_unstable();
    implemented.sort_unstable();
    assert_eq!(implemented, with_shapes);
}

#[tokio::test]
async fn events_go_over_the_wire_and_come_back() {
    let server = Server::with_stream().await;
    let service = crate::service(server.logs.clone());
    let put = format!(
        r#"{{"logGroupName":"g","logStreamName":"s","logEvents":[{{"timestamp":{NOW},"message":"hello"}}]}}"#
    );
    let (status, body) = send(&service, "PutLogEvents", &put).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) =
        send(&service, "FilterLogEvents", r#"{"logGroupName":"g","interleaved":true}"#).await;
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains(&format!(r#""timestamp":{NOW}"#)) && body.contains(r#""message":"hello""#),
        "{body}"
    );
    let (status, body) = send(&service, "FilterLogEvents", r#"{"logGroupName":"none"}"#).await;
    assert!(status == 400 && body.contains("ResourceNotFoundException"), "{status} {body}");
    let too_many = r#"{"logGroupName":"g","limit":10001}"#;
    let (status, body) = send(&service, "FilterLogEvents", too_many).await;
    assert!(status == 400 && body.contains("less than or equal to 10000"), "{status} {body}");
}
