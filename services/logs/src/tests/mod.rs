//! The service as its callers see it: handlers called as the gateway calls them, on a store of their own.

mod events;
mod filter;
mod groups;
mod ingest;
mod janitor;
mod streams;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::{Clock, LogLine, Principal, Scope, Timestamp};
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

/// A clock that stands still until it is told.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, span_ms: i64) {
        self.0.fetch_add(span_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub struct Server {
    pub logs: Logs,
    pub lines: mpsc::Sender<LogLine>,
    pub clock: Arc<TestClock>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_at(Location::Ephemeral)
    }

    pub fn start_at(location: Location) -> Self {
        let store = Store::open(&Options { location }).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(NOW)));
        let (lines, receiver) = mpsc::channel(256);
        let logs = Logs::start(store, Arc::clone(&clock) as Arc<dyn Clock>, receiver);
        Self { logs, lines, clock }
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

#[tokio::test]
async fn every_operation_of_the_table_has_a_handler() {
    let server = Server::start();
    let service = crate::service(server.logs.clone());
    assert_eq!(service.implemented().count(), 17);
}
