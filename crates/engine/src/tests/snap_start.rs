use std::sync::atomic::Ordering;

use super::*;
use crate::isolation::fake::Client;
use crate::{AllocationStatus, FunctionKey, Initialization, Kept};

const RESTORE_NEXT: &str = "/2018-06-01/runtime/restore/next";

/// A runtime that lets itself be set aside, and says what it saw.
fn snap_started<F>(after: impl Fn(Inside, Client) -> F + Clone + Send + Sync + 'static) -> Fake
where
    F: Future<Output = Option<Client>> + Send + 'static,
{
    Fake::new(move |inside: Inside| {
        let after = after.clone();
        async move {
            let mut api = inside.connect().await;
            let restored = api.request("GET", RESTORE_NEXT, "", b"").await;
            assert_eq!(restored.status, 200);
            inside.print("restored\n").await;
            let Some(mut api) = after(inside.clone(), api).await else { return Exit::Code(1) };
            loop {
                let event = api.next().await;
                api.respond(&event.request_id, &event.payload).await;
            }
        }
    })
}

async fn ready(fake: Fake) -> Fixture {
    let version = FunctionVersion { snap_start: true, ..version("f") };
    let fixture = Fixture::configured(fake, version, Limits::default());
    let key = FunctionKey::of(&fixture.version);
    let kept = Kept { version: Arc::clone(&fixture.version), kind: Initialization::SnapStart, count: 1 };
    fixture.engine.keep(&key, &[kept]);
    let allocated = fixture.engine.allocated(&key, fixture.version.revision).await.unwrap();
    assert_eq!(allocated.status, AllocationStatus::Ready);
    fixture
}

#[tokio::test]
async fn what_was_set_aside_is_restored_by_the_first_request_and_says_so() {
    let mut fixture = ready(snap_started(|_, api| async { Some(api) })).await;
    assert_eq!(text(&fixture.invoke("first").await.unwrap()), "first");
    let lines = fixture.lines_until("REPORT RequestId").await;
    // Another environment is set aside meanwhile; only one is restored.
    let lines: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.starts_with("INIT_")).collect();
    assert!(
        lines[0].starts_with("RESTORE_START Runtime Version: fake:1\tRuntime Version ARN: arn:"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "restored");
    assert!(lines[2].starts_with("RESTORE_REPORT Restore Duration: "), "{lines:?}");
    assert!(lines[3].starts_with("START RequestId: "), "{lines:?}");
    let report = lines.last().unwrap();
    assert!(
        report.contains("\tRestore Duration: ") && report.contains("\tBilled Restore Duration: "),
        "{report}"
    );
    assert!(!report.contains("Init Duration"), "{report}");
    assert_eq!(text(&fixture.invoke("second").await.unwrap()), "second");
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert!(!lines.iter().any(|line| line.contains("estore")), "{lines:?}");
}

#[tokio::test]
async fn a_runtime_that_knows_nothing_of_it_is_restored_all_the_same() {
    let mut fixture = ready(Fake::echo()).await;
    assert_eq!(text(&fixture.invoke("first").await.unwrap()), "first");
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert!(lines.iter().any(|line| line.starts_with("RESTORE_REPORT")), "{lines:?}");
    assert!(lines.last().unwrap().contains("Billed Restore Duration: 1 ms"), "{lines:?}");
}

#[tokio::test]
async fn hooks_that_fail_after_the_restore_fail_the_request() {
    let fake = snap_started(|_, mut api| async move {
        let header = "Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError\r\n";
        let accepted = api.request("POST", "/2018-06-01/runtime/restore/error", header, b"{}").await;
        assert_eq!(accepted.status, 202);
        None
    });
    let mut fixture = ready(fake).await;
    assert_eq!(fixture.invoke("x").await.unwrap_err(), InvokeError::RestoreFailed);
    let lines = fixture.lines_until("RESTORE_REPORT").await;
    assert!(
        lines.last().unwrap().ends_with("\tStatus: error\tError Type: Runtime.AfterRestoreError"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_runtime_that_dies_while_it_is_restored_fails_the_request() {
    let fixture = ready(snap_started(|_, _| async { None })).await;
    assert_eq!(fixture.invoke("x").await.unwrap_err(), InvokeError::RestoreFailed);
}

#[tokio::test(start_paused = true)]
async fn hooks_have_ten_seconds() {
    let fake = snap_started(|inside, _| async move {
        inside.hang().await;
        None
    });
    let version = FunctionVersion { snap_start: true, ..version("f") };
    let fixture = Fixture::configured(fake, version, Limits::default());
    let begun = tokio::time::Instant::now();
    assert_eq!(fixture.invoke("x").await.unwrap_err(), InvokeError::RestoreTimedOut);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn credentials_are_asked_for_and_not_in_the_environment() {
    let fake = snap_started(|inside, mut api| async move {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_STREAM_NAME"] {
            assert!(!inside.variables.contains_key(name), "{name}");
        }
        let path = "/2021-04-23/credentials";
        assert_eq!(
            inside.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            format!("http://127.0.0.1:9001{path}")
        );
        assert_eq!(api.request("GET", path, "", b"").await.status, 404);
        let token = &inside.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
        let answer = api.request("GET", path, &format!("authorization: {token}\r\n"), b"").await;
        assert_eq!(answer.status, 200);
        let answer = String::from_utf8(answer.body).unwrap();
        assert!(answer.contains(r#""AccessKeyId":"ASIAEXAMPLE""#), "{answer}");
        Some(api)
    });
    let fixture = ready(fake).await;
    assert_eq!(text(&fixture.invoke("x").await.unwrap()), "x");
}

#[tokio::test]
async fn without_snap_start_there_is_nothing_to_restore() {
    let fake = handler(|inside, _| async move {
        let mut other = inside.connect().await;
        let next = other.request("GET", RESTORE_NEXT, "", b"").await;
        let credentials = other.request("GET", "/2021-04-23/credentials", "", b"").await;
        format!("{} {}", next.status, credentials.status)
    });
    let fixture = Fixture::start(fake);
    assert_eq!(text(&fixture.invoke("x").await.unwrap()), "403 404");
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 1);
}
