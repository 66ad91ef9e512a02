use std::sync::atomic::{AtomicU64, Ordering};

use super::extensions::{NEXT, register};
use super::*;
use crate::FunctionKey;

/// A small generator of choices, so that a failure can be repeated.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

static SEED: AtomicU64 = AtomicU64::new(1);

/// A runtime that does everything a bad one does, by turns.
fn unruly() -> Fake {
    Fake::new(|inside: Inside| async move {
        let mut choices = Choices(SEED.fetch_add(1, Ordering::SeqCst));
        if choices.below(10) == 0 {
            return Exit::Code(1);
        }
        let mut api = inside.connect().await;
        if choices.below(10) == 0 {
            api.fail_init("Runtime.Unlucky", b"{}").await;
            return Exit::Code(1);
        }
        loop {
            let event = api.next().await;
            inside.print("working\n").await;
            match choices.below(16) {
                0 => return Exit::Code(3),
                1 => return inside.hang().await,
                2 => {
                    api.fail(&event.request_id, "Function.Unlucky", b"{}").await;
                }
                3 => {
                    api.respond(&event.request_id, &event.payload).await;
                    return Exit::Signal(11);
                }
                4 => {
                    api.respond(&event.request_id, &event.payload).await;
                    api = inside.connect().await;
                }
                5 => {
                    api.respond(&event.request_id, &event.payload).await;
                    api.respond(&event.request_id, b"twice").await;
                }
                6 => {
                    tokio::time::sleep(Duration::from_millis(choices.below(30))).await;
                    api.respond(&event.request_id, &event.payload).await;
                    tokio::time::sleep(Duration::from_millis(choices.below(30))).await;
                }
                _ => {
                    api.respond(&event.request_id, &event.payload).await;
                }
            }
        }
    })
}

/// The same, with an extension that is no better: it crashes, gives up, asks twice, subscribes to what it never reads,
/// and does not end when it should.
fn unruly_with_extension() -> Fake {
    unruly().with_extension("agent", |inside: Inside| async move {
        let mut choices = Choices(SEED.fetch_add(1, Ordering::SeqCst) * 7);
        if choices.below(12) == 0 {
            return Exit::Code(1);
        }
        let mut api = inside.connect().await;
        let answered = register(&mut api, "agent", r#"{"events":["INVOKE","SHUTDOWN"]}"#).await;
        // A reset may be faster.
        let Some(identifier) = answered.headers.get("lambda-extension-identifier") else {
            return inside.hang().await;
        };
        let identifier = format!("Lambda-Extension-Identifier: {identifier}\r\n");
        let body = r#"{"schemaVersion":"2022-12-13","types":["platform","function","extension"],
            "buffering":{"timeoutMs":25},"destination":{"protocol":"TCP","port":1}}"#;
        if choices.below(2) == 0 {
            api.request("PUT", "/2022-07-01/telemetry", &identifier, body.as_bytes()).await;
        }
        loop {
            let answered = api.request("GET", NEXT, &identifier, b"").await;
            inside.print("heard\n").await;
            let end = answered.body.windows(8).any(|window| window == b"SHUTDOWN");
            match choices.below(24) {
                0 => return Exit::Code(3),
                1 => return inside.hang().await,
                2 => {
                    let headers =
                        format!("{identifier}Lambda-Extension-Function-Error-Type: Extension.Unlucky\r\n");
                    api.request("POST", "/2020-01-01/extension/exit/error", &headers, b"{}").await;
                }
                3 => drop(
                    tokio::time::timeout(
                        Duration::from_millis(5),
                        inside.connect().await.request("GET", NEXT, &identifier, b""),
                    )
                    .await,
                ),
                4 => api = inside.connect().await,
                5 => tokio::time::sleep(Duration::from_millis(choices.below(30))).await,
                _ if end => return Exit::Code(0),
                _ => {}
            }
        }
    })
}

/// How many times the usual number: `HEARTH_SOAK=20` makes tens of thousands of invocations of it.
fn times() -> u64 {
    std::env::var("HEARTH_SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_runtimes_do_every_invocation_is_answered_and_nothing_is_left() {
    soak(unruly(), 60 * times()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_extensions_do_every_invocation_is_answered_and_nothing_is_left() {
    soak(unruly_with_extension(), 30 * times()).await;
}

async fn soak(fake: Fake, each: u64) {
    const CALLERS: u64 = 12;
    let mut version = version("f");
    version.timeout = Duration::from_millis(100);
    let limits = Limits {
        // One less than there are callers, so that some are throttled.
        concurrency: u32::try_from(CALLERS).unwrap() - 1,
        init_timeout: Duration::from_millis(200),
        freeze_after: Duration::from_millis(2),
        idle_age: Duration::from_millis(50),
        idle_memory_mib: 100,
        ..Limits::default()
    };
    let fixture = Arc::new(Fixture::configured(fake, version, limits));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                let (mut choices, mut answered) = (Choices(1000 + caller), 0);
                for number in 0..each {
                    let payload = format!("{caller}/{number}");
                    match fixture.invoke(&payload).await {
                        Ok(outcome) if outcome.function_error.is_none() => {
                            assert_eq!(text(&outcome), payload)
                        }
                        Ok(_) | Err(InvokeError::Throttled { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    answered += 1;
                    match choices.below(20) {
                        0 => fixture.engine.retire(&FunctionKey::of(&fixture.version), None),
                        1 => fixture
                            .engine
                            .retire(&FunctionKey::of(&fixture.version), [fixture.version.revision]),
                        2 => tokio::time::sleep(Duration::from_millis(choices.below(100))).await,
                        // A caller that leaves.
                        3 => {
                            drop(tokio::time::timeout(Duration::from_millis(1), fixture.invoke("left")).await)
                        }
                        _ => {}
                    }
                }
                answered
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(60 * times()), caller).await.unwrap().unwrap(),
            each
        );
    }
    fixture.engine.shutdown(Duration::from_secs(10)).await;
    let counts = fixture.fake.counts();
    assert_eq!(counts.cells.load(Ordering::SeqCst), counts.destroyed.load(Ordering::SeqCst));
    assert_eq!(fixture.engine.running(&fixture.version.scope), 0);
}
