use std::sync::atomic::Ordering;

use super::*;
use crate::{FunctionKey, ThrottleReason};

/// A runtime that answers when the test lets it.
fn gated() -> (Fake, Arc<tokio::sync::Semaphore>) {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let fake = handler(move |_, payload| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            payload
        }
    });
    (fake, gate)
}

fn spawn(fixture: &Fixture, payload: &str) -> tokio::task::JoinHandle<Result<Outcome, InvokeError>> {
    let (engine, invocation) = (fixture.engine.clone(), fixture.invocation(payload));
    tokio::spawn(async move { engine.invoke(invocation).await })
}

#[tokio::test]
async fn as_many_environments_run_as_requests_come_at_once() {
    let (fake, gate) = gated();
    let fixture = Fixture::start(fake);
    let running: Vec<_> = (0..20).map(|number| spawn(&fixture, &number.to_string())).collect();
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 20).await;
    gate.add_permits(20);
    for (number, outcome) in running.into_iter().enumerate() {
        assert_eq!(text(&outcome.await.unwrap().unwrap()), number.to_string());
    }
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn beyond_the_accounts_concurrency_is_throttled_and_permits_return() {
    let (fake, gate) = gated();
    let limits = Limits { concurrency: 2, ..Limits::default() };
    let fixture = Fixture::configured(fake, version("f"), limits);
    let running = [spawn(&fixture, "a"), spawn(&fixture, "b")];
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    let throttled = InvokeError::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded };
    assert_eq!(fixture.invoke("c").await.unwrap_err(), throttled);
    gate.add_permits(1000);
    for outcome in running {
        outcome.await.unwrap().unwrap();
    }
    for _ in 0..100 {
        fixture.invoke("one after the other").await.unwrap();
    }
}

#[tokio::test]
async fn a_waiting_request_takes_the_environment_that_frees_first() {
    let (fake, gate) = gated();
    let fixture = Fixture::start(fake);
    let first = spawn(&fixture, "first");
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 1).await;
    gate.add_permits(1);
    first.await.unwrap().unwrap();
    // Sequential requests never need a second environment, however soon they come.
    gate.add_permits(200);
    for _ in 0..200 {
        fixture.invoke("again").await.unwrap();
    }
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_most_recently_used_environment_goes_first_and_the_others_grow_old() {
    let (fake, gate) = gated();
    let limits = Limits { idle_age: Duration::from_millis(150), ..Limits::default() };
    let fixture = Fixture::configured(fake, version("f"), limits);
    let running: Vec<_> = (0..3).map(|_| spawn(&fixture, "x")).collect();
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 3).await;
    gate.add_permits(10_000);
    for outcome in running {
        outcome.await.unwrap().unwrap();
    }
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(5)
        && fixture.fake.counts().destroyed.load(Ordering::SeqCst) < 2
    {
        fixture.invoke("y").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fixture.fake.counts().destroyed.load(Ordering::SeqCst), 2);
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn idle_environments_of_a_retired_revision_stop_at_once_and_busy_ones_finish_first() {
    let (fake, gate) = gated();
    let fixture = Fixture::start(fake);
    let running = [spawn(&fixture, "a"), spawn(&fixture, "b")];
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    gate.add_permits(1);
    let counts = fixture.fake.counts();
    fixture.engine.retire(&FunctionKey::of(&fixture.version), Some(fixture.version.revision));
    assert_eq!(counts.destroyed.load(Ordering::SeqCst), 0);
    // One of the two has answered by now or soon will; either way both end, and both are answered.
    fixture.engine.retire(&FunctionKey::of(&fixture.version), None);
    gate.add_permits(1);
    for outcome in running {
        outcome.await.unwrap().unwrap();
    }
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 2).await;
}

#[tokio::test]
async fn without_room_on_the_machine_a_request_is_throttled_unless_idle_environments_can_go() {
    let fixture = Fixture::start(Fake::echo());
    let available = &fixture.fake.counts().available_memory_mib;
    available.store(1, Ordering::SeqCst);
    let throttled = InvokeError::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded };
    assert_eq!(fixture.invoke("x").await.unwrap_err(), throttled);
    available.store(1 << 20, Ordering::SeqCst);
    fixture.invoke("x").await.unwrap();
    available.store(1, Ordering::SeqCst);
    // Another function takes the place of the idle environment.
    let other = Invocation { version: Arc::new(version("g")), ..fixture.invocation("y") };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let mut outcome = fixture.engine.invoke(other.clone()).await;
    while outcome.is_err() && tokio::time::Instant::now() < deadline {
        // The first environment was answered but not idle yet.
        outcome = fixture.engine.invoke(other.clone()).await;
    }
    assert_eq!(text(&outcome.unwrap()), "y");
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 1).await;
}

#[tokio::test]
async fn idle_environments_beyond_the_memory_budget_stop() {
    let (fake, gate) = gated();
    // The fake's environments hold 20 MiB each.
    let limits = Limits { idle_memory_mib: 50, ..Limits::default() };
    let fixture = Fixture::configured(fake, version("f"), limits);
    let running: Vec<_> = (0..5).map(|_| spawn(&fixture, "x")).collect();
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 5).await;
    gate.add_permits(5);
    for outcome in running {
        outcome.await.unwrap().unwrap();
    }
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 3).await;
}

#[tokio::test]
async fn a_shutdown_lets_running_invocations_finish_and_refuses_new_ones() {
    let (fake, gate) = gated();
    let fixture = Fixture::start(fake);
    let running = spawn(&fixture, "last");
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 1).await;
    let engine = fixture.engine.clone();
    let shutdown = tokio::spawn(async move { engine.shutdown(Duration::from_secs(10)).await });
    tokio::task::yield_now().await;
    assert_eq!(fixture.invoke("refused").await.unwrap_err(), InvokeError::ShuttingDown);
    gate.add_permits(1);
    assert_eq!(text(&running.await.unwrap().unwrap()), "last");
    shutdown.await.unwrap();
    assert_eq!(fixture.fake.counts().destroyed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_shutdown_whose_deadline_passes_answers_what_still_runs() {
    let (fake, _gate) = gated();
    let fixture = Fixture::start(fake);
    let running = spawn(&fixture, "stuck");
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 1).await;
    fixture.engine.shutdown(Duration::from_millis(20)).await;
    assert_eq!(running.await.unwrap().unwrap_err(), InvokeError::ShuttingDown);
    assert_eq!(fixture.fake.counts().destroyed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_two_tenants_ever_share_an_environment() {
    let fake = Fake::new(|inside| async move {
        let mut api = inside.connect().await;
        let mut seen = Vec::new();
        loop {
            let event = api.next().await;
            seen.push(event.headers["lambda-runtime-aws-tenant-id"].clone());
            api.respond(&event.request_id, seen.join(" ").as_bytes()).await;
        }
    });
    let version = FunctionVersion { per_tenant: true, ..version("f") };
    let fixture = Fixture::configured(fake, version, Limits::default());
    let invoke = |tenant: &'static str| {
        fixture.engine.invoke(Invocation { tenant_id: Some(tenant.into()), ..fixture.invocation("x") })
    };
    assert_eq!(text(&invoke("blue").await.unwrap()), "blue");
    assert_eq!(text(&invoke("green").await.unwrap()), "green");
    assert_eq!(text(&invoke("blue").await.unwrap()), "blue blue");
    assert_eq!(text(&invoke("green").await.unwrap()), "green green");
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 2);
    // Both go with their function.
    fixture.engine.retire(&FunctionKey::of(&fixture.version), None);
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 2).await;
}
