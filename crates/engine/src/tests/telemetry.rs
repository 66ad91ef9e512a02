use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc as channel;

use super::extensions::{join, next_event, register};
use super::*;
use crate::isolation::fake::Client;

const TELEMETRY: &str = "/2022-07-01/telemetry";
const LOGS: &str = "/2020-08-15/logs";

/// Reads requests and gives the entries of their bodies; answers each with 200.
async fn receive(listener: TcpListener, entries: channel::UnboundedSender<Value>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        loop {
            let Some(end) = memchr::memmem::find(&received, b"\r\n\r\n") else {
                if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
                    break;
                }
                continue;
            };
            let head = String::from_utf8(received[..end].to_vec()).unwrap().to_ascii_lowercase();
            assert!(head.starts_with("post /sink http/1.1"), "{head}");
            assert!(head.contains("host: sandbox.localdomain:"), "{head}");
            assert!(head.contains("content-type: application/json"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            received.drain(..end + 4);
            while received.len() < length {
                stream.read_buf(&mut received).await.unwrap();
            }
            let body: Vec<Value> =
                serde_json::from_slice(&received.drain(..length).collect::<Vec<_>>()).unwrap();
            body.into_iter().for_each(|entry| drop(entries.send(entry)));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    }
}

async fn subscribe(api: &mut Client, path: &str, identifier: &str, body: &Value) -> String {
    let answered = api.request("PUT", path, identifier, body.to_string().as_bytes()).await;
    format!("{} {}", answered.status, String::from_utf8_lossy(&answered.body).trim_end())
}

/// A runtime with an extension that subscribes to everything.
fn subscribed(path: &'static str, schema: &'static str, entries: channel::UnboundedSender<Value>) -> Fake {
    handler(|inside, payload| async move {
        inside.print(&format!("printed {payload}\n")).await;
        payload
    })
    .with_extension("agent", move |inside: Inside| {
        let entries = entries.clone();
        async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(receive(listener, entries));
            let mut api = inside.connect().await;
            let identifier = join(&mut api, "agent").await;
            let body = json!({
                "schemaVersion": schema,
                "types": ["platform", "function", "extension"],
                "buffering": { "timeoutMs": 25, "maxItems": 1000, "maxBytes": 262_144 },
                "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/sink") },
            });
            assert_eq!(subscribe(&mut api, path, &identifier, &body).await, r#"200 "OK""#);
            inside.print("subscribed\n").await;
            loop {
                next_event(&mut api, &identifier).await;
            }
        }
    })
}

async fn until_report(entries: &mut channel::UnboundedReceiver<Value>) -> Vec<Value> {
    let mut received = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), entries.recv());
        let Ok(Some(entry)) = next.await else { panic!("no report after {received:#?}") };
        let last = entry["type"] == "platform.report";
        received.push(entry);
        if last {
            return received;
        }
    }
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["type"].as_str().unwrap()).filter(|kind| *kind != "extension").collect()
}

#[tokio::test]
async fn a_subscriber_gets_everything_from_the_start_of_the_init_phase_in_order() {
    let (sender, mut entries) = channel::unbounded_channel();
    let fixture = Fixture::start(subscribed(TELEMETRY, "2022-12-13", sender));
    let invocation = fixture.invocation("1");
    let id = invocation.request_id.to_string();
    fixture.engine.invoke(invocation).await.unwrap();
    let received = until_report(&mut entries).await;
    let expected = [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ];
    // The runtime starts while the extension subscribes.
    let mut told = kinds(&received);
    told.retain(|kind| *kind != "platform.telemetrySubscription");
    assert_eq!(told, expected, "{received:#?}");
    assert!(received.iter().any(|entry| entry["type"] == "extension" && entry["record"] == "subscribed"));
    let record = |kind: &str| &received.iter().find(|entry| entry["type"] == kind).unwrap()["record"];
    let init = record("platform.initStart");
    assert_eq!((&init["phase"], &init["initializationType"]), (&json!("init"), &json!("on-demand")));
    assert_eq!((&init["functionName"], &init["functionVersion"]), (&json!("f"), &json!("$LATEST")));
    assert_eq!(
        record("platform.telemetrySubscription"),
        &json!({ "name": "agent", "state": "Subscribed", "types": ["platform", "function", "extension"] })
    );
    assert_eq!(
        record("platform.extension"),
        &json!({ "name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"] })
    );
    assert_eq!(record("platform.start")["requestId"], id);
    assert_eq!(record("function"), "printed 1");
    let done = record("platform.runtimeDone");
    assert_eq!((&done["status"], &done["metrics"]["producedBytes"]), (&json!("success"), &json!(1)));
    let spans: Vec<&str> =
        done["spans"].as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(spans, ["responseLatency", "responseDuration", "runtimeOverhead"]);
    let report = record("platform.report");
    assert_eq!(report["spans"][0]["name"], "extensionOverhead");
    assert!(report["metrics"]["initDurationMs"].as_f64().is_some(), "{report}");
    // The next invocation has no Init phase.
    fixture.invoke("2").await.unwrap();
    let received = until_report(&mut entries).await;
    assert_eq!(kinds(&received), ["platform.start", "function", "platform.runtimeDone", "platform.report"]);
}

#[tokio::test]
async fn the_runtimes_part_of_the_init_phase_is_told_before_a_slow_extension_is_done() {
    let (sender, mut entries) = channel::unbounded_channel();
    let release = Arc::new(tokio::sync::Notify::new());
    let released = Arc::clone(&release);
    let fake = subscribed(TELEMETRY, "2022-12-13", sender).with_extension("slow", move |inside: Inside| {
        let released = Arc::clone(&released);
        async move {
            let mut api = inside.connect().await;
            let identifier = join(&mut api, "slow").await;
            released.notified().await;
            loop {
                next_event(&mut api, &identifier).await;
            }
        }
    });
    let fixture = Fixture::start(fake);
    let mut seen = Vec::new();
    let watched = async {
        while !kinds(&seen).contains(&"platform.initRuntimeDone") {
            seen.push(entries.recv().await.unwrap());
        }
        release.notify_one();
    };
    let (outcome, ()) = tokio::join!(fixture.invoke("1"), watched);
    assert_eq!(text(&outcome.unwrap()), "1");
    let rest = until_report(&mut entries).await;
    let said = kinds(&rest).into_iter().filter(|kind| *kind == "platform.initRuntimeDone").count();
    assert_eq!(said, 0, "{rest:#?}");
}

#[tokio::test]
async fn the_logs_api_has_its_own_events() {
    let (sender, mut entries) = channel::unbounded_channel();
    let fixture = Fixture::start(subscribed(LOGS, "2021-03-18", sender));
    fixture.invoke("1").await.unwrap();
    let received = until_report(&mut entries).await;
    let expected = [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ];
    assert_eq!(kinds(&received), expected, "{received:#?}");
}

#[tokio::test]
async fn a_tcp_subscriber_gets_lines_and_an_internal_extension_may_subscribe() {
    let (sender, mut lines) = channel::unbounded_channel();
    let fake = Fake::new(move |inside: Inside| {
        let sender = sender.clone();
        async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
                let mut text = String::new();
                let _ = stream.read_to_string(&mut text).await;
                let _ = sender.send(text);
            });
            let mut api = inside.connect().await;
            let answered = register(&mut api, "inner", r#"{"events":[]}"#).await;
            let identifier = format!(
                "Lambda-Extension-Identifier: {}\r\n",
                answered.headers["lambda-extension-identifier"]
            );
            let body = json!({
                "schemaVersion": "2022-07-01", "types": ["platform"], "buffering": { "timeoutMs": 25 },
                "destination": { "protocol": "TCP", "port": port },
            });
            assert_eq!(subscribe(&mut api, TELEMETRY, &identifier, &body).await, r#"200 "OK""#);
            let both = json!({ "types": ["platform"], "destination": { "protocol": "TCP", "port": port } });
            let refused = subscribe(&mut api, LOGS, &identifier, &both).await;
            assert!(refused.starts_with("400 ") && refused.contains("ValidationError"), "{refused}");
            let mut waiting = inside.connect().await;
            tokio::spawn(async move { next_event(&mut waiting, &identifier).await });
            let mut runtime = inside.connect().await;
            loop {
                let event = runtime.next().await;
                runtime.respond(&event.request_id, b"{}").await;
            }
        }
    });
    let fixture = Fixture::start(fake);
    fixture.invoke("{}").await.unwrap();
    fixture.engine.shutdown(Duration::from_secs(5)).await;
    let text = lines.recv().await.unwrap();
    let types: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types[0], "platform.initStart", "{types:?}");
    assert!(types.contains(&"platform.start".to_owned()), "{types:?}");
}

#[tokio::test]
async fn subscribing_after_the_init_phase_or_wrongly_is_refused() {
    let (sender, mut told) = channel::unbounded_channel();
    let fake = Fake::echo().with_extension("agent", move |inside: Inside| {
        let told = sender.clone();
        async move {
            let mut api = inside.connect().await;
            let identifier = join(&mut api, "agent").await;
            let wrong = json!({ "schemaVersion": "2022-07-01", "types": [] });
            let _ = told.send(subscribe(&mut api, TELEMETRY, &identifier, &wrong).await);
            next_event(&mut api, &identifier).await;
            let good = json!({
                "schemaVersion": "2022-07-01", "types": ["platform"],
                "destination": { "protocol": "TCP", "port": 1234 },
            });
            let _ = told.send(subscribe(&mut api, TELEMETRY, &identifier, &good).await);
            loop {
                next_event(&mut api, &identifier).await;
            }
        }
    });
    let fixture = Fixture::start(fake);
    fixture.invoke("1").await.unwrap();
    assert_eq!(
        told.recv().await.unwrap(),
        r#"400 {"errorMessage":"destination is not provided; types should not be empty","errorType":"ValidationError"}"#
    );
    assert_eq!(
        told.recv().await.unwrap(),
        r#"403 {"errorMessage":"Telemetry API subscription is closed already","errorType":"Telemetry.SubscriptionClosed"}"#
    );
}

#[tokio::test]
async fn a_subscriber_that_never_answers_holds_nobody_up() {
    let fake = handler(|inside, payload| async move {
        inside.print(&"x".repeat(50_000)).await;
        payload
    })
    .with_extension("deaf", |inside: Inside| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut api = inside.connect().await;
        let identifier = join(&mut api, "deaf").await;
        let body = json!({
            "schemaVersion": "2022-07-01", "types": ["function", "platform"], "buffering": { "timeoutMs": 25 },
            "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}") },
        });
        subscribe(&mut api, TELEMETRY, &identifier, &body).await;
        loop {
            next_event(&mut api, &identifier).await;
            drop(listener.local_addr());
        }
    });
    let fixture = Fixture::start(fake);
    for number in 0..50 {
        assert_eq!(text(&fixture.invoke(&number.to_string()).await.unwrap()), number.to_string());
    }
}
