use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::sync::mpsc as channel;

use super::*;
use crate::FunctionKey;
use crate::isolation::fake::{Answered, Client};

pub(super) const REGISTER: &str = "/2020-01-01/extension/register";
pub(super) const NEXT: &str = "/2020-01-01/extension/event/next";

pub(super) async fn register(api: &mut Client, name: &str, body: &str) -> Answered {
    let headers = format!("Lambda-Extension-Name: {name}\r\nLambda-Extension-Accept-Feature: accountId\r\n");
    api.request("POST", REGISTER, &headers, body.as_bytes()).await
}

/// Registers for everything and gives the header that identifies it.
pub(super) async fn join(api: &mut Client, name: &str) -> String {
    let answered = register(api, name, r#"{"events":["INVOKE","SHUTDOWN"]}"#).await;
    assert_eq!(answered.status, 200, "{}", shown(&answered));
    format!("Lambda-Extension-Identifier: {}\r\n", answered.headers["lambda-extension-identifier"])
}

pub(super) async fn next_event(api: &mut Client, identifier: &str) -> Value {
    let answered = api.request("GET", NEXT, identifier, b"").await;
    assert_eq!(answered.status, 200, "{}", shown(&answered));
    assert!(answered.headers.contains_key("lambda-extension-event-identifier"));
    serde_json::from_slice(&answered.body).unwrap()
}

fn shown(answered: &Answered) -> String {
    format!("{} {}", answered.status, String::from_utf8_lossy(&answered.body).trim_end())
}

/// An extension that tells each of its events and ends when it is told to.
fn telling(fake: Fake, name: &'static str, events: channel::UnboundedSender<Value>) -> Fake {
    fake.with_extension(name, move |inside: Inside| {
        let events = events.clone();
        async move {
            let mut api = inside.connect().await;
            let identifier = join(&mut api, name).await;
            loop {
                let event = next_event(&mut api, &identifier).await;
                let end = event["eventType"] == "SHUTDOWN";
                let _ = events.send(event);
                if end {
                    inside.print("extension ends\n").await;
                    return Exit::Code(0);
                }
            }
        }
    })
}

#[tokio::test]
async fn an_extension_hears_of_each_invocation_and_of_the_end() {
    let (sender, mut events) = channel::unbounded_channel();
    let mut fixture = Fixture::start(telling(Fake::echo(), "agent", sender));
    for number in 0..3 {
        let invocation = fixture.invocation(&number.to_string());
        let (id, arn) = (invocation.request_id, invocation.invoked_arn.clone());
        assert_eq!(text(&fixture.engine.invoke(invocation).await.unwrap()), number.to_string());
        let event = events.recv().await.unwrap();
        assert_eq!(event["eventType"], "INVOKE");
        assert_eq!(event["requestId"], id.to_string());
        assert_eq!(event["invokedFunctionArn"], arn);
        assert_eq!(event["tracing"]["type"], "X-Amzn-Trace-Id");
        assert!(event["tracing"]["value"].as_str().unwrap().starts_with("Root=1-"), "{event}");
        assert!(event["deadlineMs"].as_i64().unwrap() > 0);
    }
    fixture.engine.retire(&FunctionKey::of(&fixture.version), None);
    let end = events.recv().await.unwrap();
    assert_eq!((&end["eventType"], &end["shutdownReason"]), (&"SHUTDOWN".into(), &"spindown".into()));
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 1).await;
    let lines = fixture.lines_until("extension ends").await;
    assert!(lines[0].starts_with("INIT_START"), "{lines:?}");
    assert_eq!(lines[1], "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]");
    assert!(lines[2].starts_with("START"), "{lines:?}");
}

#[tokio::test]
async fn the_caller_has_its_answer_before_a_slow_extension_is_done_and_the_report_waits_for_it() {
    let release = Arc::new(tokio::sync::Notify::new());
    let released = Arc::clone(&release);
    let fake = Fake::echo().with_extension("slow", move |inside: Inside| {
        let released = Arc::clone(&released);
        async move {
            let mut api = inside.connect().await;
            let identifier = join(&mut api, "slow").await;
            loop {
                next_event(&mut api, &identifier).await;
                released.notified().await;
            }
        }
    });
    let mut fixture = Fixture::start(fake);
    assert_eq!(text(&fixture.invoke("1").await.unwrap()), "1");
    while let Ok(line) = fixture.logs.try_recv() {
        assert!(!line.message.starts_with("REPORT"), "{}", line.message);
    }
    release.notify_one();
    fixture.lines_until("REPORT").await;
    release.notify_one();
    assert_eq!(text(&fixture.invoke("2").await.unwrap()), "2");
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_extension_that_is_never_done_runs_into_the_functions_timeout() {
    let fake = Fake::echo().with_extension("stuck", |inside: Inside| async move {
        let mut api = inside.connect().await;
        let identifier = join(&mut api, "stuck").await;
        next_event(&mut api, &identifier).await;
        inside.hang().await
    });
    let mut version = version("f");
    version.timeout = Duration::from_millis(200);
    let mut fixture = Fixture::configured(fake, version, Limits::default());
    let answered = fixture.invoke("1").await.unwrap();
    assert_eq!((text(&answered), &answered.function_error), ("1", &None));
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.last().unwrap().ends_with("Status: timeout"), "{lines:?}");
}

#[tokio::test]
async fn a_timeout_tells_extensions_and_the_environment_recovers_with_them() {
    let (sender, mut events) = channel::unbounded_channel();
    let fake = Fake::new(|inside: Inside| async move {
        inside.notes.lock().unwrap().entry("starts".into()).or_default().push('I');
        let mut api = inside.connect().await;
        loop {
            let event = api.next().await;
            if event.payload == b"hang" {
                return inside.hang().await;
            }
            let starts = inside.notes.lock().unwrap()["starts"].clone();
            api.respond(&event.request_id, starts.as_bytes()).await;
        }
    });
    let mut version = version("f");
    version.timeout = Duration::from_millis(300);
    let fixture = Fixture::configured(telling(fake, "agent", sender), version, Limits::default());
    assert_eq!(error_type(&fixture.invoke("hang").await.unwrap()), "Sandbox.Timedout");
    assert_eq!(events.recv().await.unwrap()["eventType"], "INVOKE");
    let end = events.recv().await.unwrap();
    assert_eq!((&end["eventType"], &end["shutdownReason"]), (&"SHUTDOWN".into(), &"timeout".into()));
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 1).await;
    // Until the reset is done another environment answers; then this one does, with what it kept.
    let recovered = async { while text(&fixture.invoke("").await.unwrap()) != "II" {} };
    tokio::time::timeout(Duration::from_secs(10), recovered).await.unwrap();
    assert_eq!(events.recv().await.unwrap()["eventType"], "INVOKE");
}

#[tokio::test]
async fn an_extension_that_crashes_fails_the_invocation_and_the_next_one_starts_it_again() {
    let fake = Fake::echo().with_extension("frail", |inside: Inside| async move {
        let mut api = inside.connect().await;
        let identifier = join(&mut api, "frail").await;
        next_event(&mut api, &identifier).await;
        Exit::Code(7)
    });
    // The runtime waits, so that the extension is always first.
    let fake_slow = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        api.next().await;
        inside.hang().await
    });
    let crashing = fake_slow.with_extension("frail", |inside: Inside| async move {
        let mut api = inside.connect().await;
        let identifier = join(&mut api, "frail").await;
        next_event(&mut api, &identifier).await;
        Exit::Code(7)
    });
    let mut fixture = Fixture::start(crashing);
    let outcome = fixture.invoke("{}").await.unwrap();
    assert_eq!(error_type(&outcome), "Extension.Crash");
    assert!(text(&outcome).ends_with("Error: exit code 7\"}"), "{}", text(&outcome));
    let lines = fixture.lines_until("REPORT").await;
    assert!(lines.last().unwrap().ends_with("Status: error\tError Type: Extension.Crash"), "{lines:?}");
    // One that crashes after the answer is not the caller's concern.
    let fixture = Fixture::start(fake);
    for number in 0..3 {
        let outcome = fixture.invoke(&number.to_string()).await.unwrap();
        if outcome.function_error.is_none() {
            assert_eq!(text(&outcome), number.to_string());
        } else {
            assert_eq!(error_type(&outcome), "Extension.Crash");
        }
    }
}

#[tokio::test]
async fn an_extension_that_fails_to_start_fails_the_init_and_the_invocation() {
    let check = async |fake: Fake, kind: &str, message: &str, line: &str| {
        let mut fixture = Fixture::start(fake);
        let outcome = fixture.invoke("{}").await.unwrap();
        assert_eq!(error_type(&outcome), kind);
        assert!(text(&outcome).ends_with(&format!("Error: {message}\"}}")), "{}", text(&outcome));
        let lines = fixture.lines_until("REPORT RequestId").await;
        assert!(lines[1].starts_with(line), "{lines:?}");
        assert!(lines[2].ends_with(&format!("Phase: init\tStatus: error\tError Type: {kind}")), "{lines:?}");
        assert!(lines.last().unwrap().ends_with(&format!("Error Type: {kind}")), "{lines:?}");
    };
    let crash = Fake::echo().with_extension("crash", |_| async { Exit::Code(3) });
    let line = "EXTENSION\tName: crash\tState: Exited\tEvents: []\tError Type: Extension.Crash";
    check(crash, "Extension.Crash", "exit code 3", line).await;
    let line = "EXTENSION\tName: unlaunchable\tState: LaunchError\tEvents: []\tError Type: PermissionDenied";
    let unlaunchable = Fake::echo().with_extension("unlaunchable", |_| async { Exit::Code(0) });
    check(unlaunchable, "Extension.LaunchError", "it may not be executed", line).await;
    let reporting = Fake::echo().with_extension("reporting", |inside: Inside| async move {
        let mut api = inside.connect().await;
        let identifier = join(&mut api, "reporting").await;
        let headers = format!("{identifier}Lambda-Extension-Function-Error-Type: Extension.NoConfig\r\n");
        let answered = api.request("POST", "/2020-01-01/extension/init/error", &headers, b"{}").await;
        assert_eq!(shown(&answered), r#"202 {"status":"OK"}"#);
        inside.hang().await
    });
    let line = "EXTENSION\tName: reporting\tState: InitError\tEvents: [INVOKE,SHUTDOWN]\tError Type: Extension.NoConfig";
    let mut fixture = Fixture::start(reporting);
    assert_eq!(error_type(&fixture.invoke("{}").await.unwrap()), "Extension.InitError");
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert_eq!(lines[1], line);
}

#[tokio::test]
async fn an_extension_that_never_registers_runs_into_the_init_timeout_and_then_into_the_functions() {
    let fake = Fake::echo().with_extension("silent", |inside: Inside| async move { inside.hang().await });
    let mut version = version("f");
    version.timeout = Duration::from_millis(150);
    let limits = Limits { init_timeout: Duration::from_millis(50), ..Limits::default() };
    let mut fixture = Fixture::configured(fake, version, limits);
    let outcome = fixture.invoke("{}").await.unwrap();
    assert_eq!(error_type(&outcome), "Sandbox.Timedout");
    // The runtime starts after the extensions: it never did.
    assert_eq!(fixture.fake.counts().starts.load(Ordering::SeqCst), 0);
    let lines = fixture.lines_until("REPORT RequestId").await;
    let kinds: Vec<&str> = lines.iter().map(|line| line.split([' ', '\t']).next().unwrap()).collect();
    let init = ["INIT_START", "EXTENSION", "INIT_REPORT"];
    assert_eq!(kinds, [&init[..], &["START"], &init[..], &["END", "REPORT"]].concat());
    assert_eq!(lines[1], "EXTENSION\tName: silent\tState: Started\tEvents: []");
    assert!(lines[2].ends_with("Phase: init\tStatus: timeout"), "{lines:?}");
    assert!(lines[6].ends_with("Phase: invoke\tStatus: timeout"), "{lines:?}");
}

#[tokio::test]
async fn more_than_ten_extensions_are_too_many() {
    let mut fake = Fake::echo();
    for number in 0..11 {
        fake = fake
            .with_extension(&format!("e{number:02}"), |inside: Inside| async move { inside.hang().await });
    }
    let mut fixture = Fixture::start(fake);
    assert_eq!(error_type(&fixture.invoke("{}").await.unwrap()), "Extension.LaunchError");
    let lines = fixture.lines_until("REPORT RequestId").await;
    let line = "EXTENSION\tName: e10\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions";
    assert!(lines.iter().any(|found| found == line), "{lines:?}");
}

#[tokio::test]
async fn an_internal_extension_hears_of_invocations_and_its_runtime_is_asked_to_end() {
    let (sender, mut told) = channel::unbounded_channel();
    let fake = Fake::new(move |inside: Inside| {
        let told = sender.clone();
        async move {
            let mut extension = inside.connect().await;
            let refused = register(&mut extension, "inner", r#"{"events":["SHUTDOWN"]}"#).await;
            let _ = told.send(shown(&refused));
            let answered = register(&mut extension, "inner", r#"{"events":["INVOKE"]}"#).await;
            let _ = told.send(shown(&answered));
            let identifier = format!(
                "Lambda-Extension-Identifier: {}\r\n",
                answered.headers["lambda-extension-identifier"]
            );
            let events = told.clone();
            let listening = async move {
                loop {
                    let event = next_event(&mut extension, &identifier).await;
                    let _ = events.send(event["eventType"].to_string());
                }
            };
            let mut api = inside.connect().await;
            let answering = async {
                loop {
                    let event = api.next().await;
                    api.respond(&event.request_id, &event.payload).await;
                }
            };
            tokio::select! {
                () = listening => Exit::Code(1),
                () = answering => Exit::Code(1),
                () = inside.terminated.notified() => {
                    let _ = told.send("terminated".to_owned());
                    Exit::Code(0)
                }
            }
        }
    });
    let fixture = Fixture::start(fake);
    assert_eq!(text(&fixture.invoke("1").await.unwrap()), "1");
    let refused = told.recv().await.unwrap();
    assert!(refused.starts_with("403 ") && refused.contains("Extension.InvalidEventType"), "{refused}");
    let expected = r#"200 {"accountId":"000000000000","functionName":"f","functionVersion":"$LATEST","handler":"index.handler"}"#;
    assert_eq!(told.recv().await.unwrap(), expected);
    assert_eq!(told.recv().await.unwrap(), "\"INVOKE\"");
    fixture.engine.retire(&FunctionKey::of(&fixture.version), None);
    assert_eq!(told.recv().await.unwrap(), "terminated");
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 1).await;
}

#[tokio::test]
async fn calls_that_may_not_be_are_refused_with_awss_error_types() {
    let (sender, mut told) = channel::unbounded_channel();
    let go = Arc::new(tokio::sync::Notify::new());
    let gone = Arc::clone(&go);
    // The runtime is ready only when the extension has tried everything.
    let fake = Fake::new(move |inside: Inside| {
        let gone = Arc::clone(&gone);
        async move {
            gone.notified().await;
            let mut api = inside.connect().await;
            let event = api.next().await;
            api.respond(&event.request_id, b"1").await;
            inside.hang().await
        }
    })
    .with_extension("agent", move |inside: Inside| {
        let (told, go) = (sender.clone(), Arc::clone(&go));
        async move {
            let mut api = inside.connect().await;
            let tell = |answered: Answered| drop(told.send(shown(&answered)));
            tell(api.request("POST", REGISTER, "", b"{}").await);
            tell(register(&mut api, "agent", "no json").await);
            tell(register(&mut api, "agent", r#"{"events":["SNAPSHOT"]}"#).await);
            tell(api.request("GET", NEXT, "", b"").await);
            tell(api.request("GET", NEXT, "Lambda-Extension-Identifier: none\r\n", b"").await);
            let stranger = "Lambda-Extension-Identifier: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n";
            tell(api.request("GET", NEXT, stranger, b"").await);
            tell(api.request("GET", REGISTER, "", b"").await);
            let identifier = join(&mut api, "agent").await;
            tell(register(&mut api, "agent", "{}").await);
            tell(api.request("POST", "/2020-01-01/extension/exit/error", &identifier, b"{}").await);
            let mut other = inside.connect().await;
            let (first, second) = (identifier.clone(), identifier.clone());
            let waiting = async { next_event(&mut other, &first).await };
            tokio::pin!(waiting);
            // The first call waits until the invocation comes.
            assert!(tokio::time::timeout(Duration::from_millis(100), &mut waiting).await.is_err());
            tell(api.request("GET", NEXT, &second, b"").await);
            go.notify_one();
            waiting.await;
            tell(register(&mut api, "late", "{}").await);
            inside.hang().await
        }
    });
    let mut version = version("f");
    version.timeout = Duration::from_millis(500);
    let fixture = Fixture::configured(fake, version, Limits::default());
    fixture.invoke("1").await.unwrap();
    let mut next = async || told.recv().await.unwrap();
    let error = |status: u16, kind: &str, message: &str| {
        format!(r#"{status} {{"errorMessage":"{message}","errorType":"{kind}"}}"#)
    };
    assert_eq!(next().await, error(403, "Extension.InvalidExtensionName", "Empty extension name"));
    assert!(next().await.contains("InvalidRequestFormat"));
    assert!(next().await.contains("Extension.InvalidEventType"));
    assert!(next().await.contains("Extension.MissingExtensionIdentifier"));
    assert!(next().await.contains("Extension.InvalidExtensionIdentifier"));
    assert!(next().await.contains("Extension.UnknownExtensionIdentifier"));
    assert!(next().await.starts_with("405"));
    let transition = |from, to| {
        let message = format!(
            "State transition from {from} to {to} failed for extension agent. Error: State transition is not allowed"
        );
        error(403, "Extension.InvalidExtensionState", &message)
    };
    assert_eq!(next().await, transition("Registered", "Registered"));
    assert!(next().await.contains("Extension.MissingHeader"));
    assert_eq!(next().await, transition("Ready", "Ready"));
    let closed = error(403, "Extension.RegistrationClosed", "Extension registration closed already");
    assert_eq!(next().await, closed);
}
