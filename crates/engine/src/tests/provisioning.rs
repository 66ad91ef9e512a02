use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    Allocation, AllocationStatus, Capacity, FunctionKey, Initialization, Kept, Start, ThrottleReason,
};

/// A runtime that says how it was initialised, and ends when told to.
fn tells() -> Fake {
    handler(|inside, payload| async move {
        match payload.as_str() {
            "exit" => "exit 1".to_owned(),
            _ => inside.variables["AWS_LAMBDA_INITIALIZATION_TYPE"].clone(),
        }
    })
}

impl Fixture {
    fn key(&self) -> FunctionKey {
        FunctionKey::of(&self.version)
    }

    fn keep(&self, kind: Initialization, count: u32) {
        let kept = Kept { version: Arc::clone(&self.version), kind, count };
        self.engine.keep(&self.key(), &[kept]);
    }

    async fn allocated(&self) -> Allocation {
        let key = self.key();
        let allocated = self.engine.allocated(&key, self.version.revision);
        tokio::time::timeout(Duration::from_secs(10), allocated).await.expect("in time").expect("kept")
    }

    async fn provision(&self, count: u32) {
        self.keep(Initialization::Provisioned, count);
        assert_eq!(self.allocated().await.status, AllocationStatus::Ready);
    }
}

#[tokio::test]
async fn provisioned_environments_are_there_before_the_first_request() {
    let mut fixture = Fixture::start(tells());
    fixture.provision(3).await;
    let allocation = fixture.engine.allocation(&fixture.key(), fixture.version.revision).unwrap();
    assert_eq!((allocation.requested, allocation.allocated, allocation.available), (3, 3, 3));
    assert_eq!(fixture.fake.counts().starts.load(Ordering::SeqCst), 3);
    let outcome = fixture.invoke("how").await.unwrap();
    assert_eq!(text(&outcome), "provisioned-concurrency");
    assert_eq!((outcome.start, outcome.capacity), (Start::Warm, Capacity::Provisioned));
    assert_eq!(fixture.fake.counts().starts.load(Ordering::SeqCst), 3);
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("INIT_REPORT Init Duration: ")).count(), 3);
    assert!(!lines.last().unwrap().contains("Init Duration"), "{lines:?}");
}

#[tokio::test]
async fn what_does_not_fit_spills_over() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let fake = handler(move |inside, _| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            inside.variables["AWS_LAMBDA_INITIALIZATION_TYPE"].clone()
        }
    });
    let fixture = Fixture::start(fake);
    fixture.provision(1).await;
    let run = || {
        let (engine, invocation) = (fixture.engine.clone(), fixture.invocation("x"));
        tokio::spawn(async move { engine.invoke(invocation).await.unwrap() })
    };
    let running = [run(), run()];
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    let concurrency = fixture.engine.concurrency(&fixture.key());
    assert_eq!((concurrency.running, concurrency.running_provisioned, concurrency.provisioned), (2, 1, 1));
    gate.add_permits(2);
    let mut seen = Vec::new();
    for outcome in running {
        let outcome = outcome.await.unwrap();
        seen.push((outcome.capacity, text(&outcome).to_owned()));
    }
    seen.sort_by_key(|(_, kind)| kind.clone());
    let expected = [(Capacity::Spillover, "on-demand"), (Capacity::Provisioned, "provisioned-concurrency")];
    assert_eq!(seen, expected.map(|(capacity, kind)| (capacity, kind.to_owned())));
}

#[tokio::test]
async fn a_provisioned_environment_that_dies_is_replaced_and_one_that_waits_never_goes() {
    let limits = Limits { idle_age: Duration::from_millis(1), idle_memory_mib: 0, ..Limits::default() };
    let fixture = Fixture::configured(tells(), version("f"), limits);
    fixture.provision(2).await;
    assert_eq!(error_type(&fixture.invoke("exit").await.unwrap()), "Runtime.ExitError");
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 3).await;
    let all_there =
        || fixture.engine.allocation(&fixture.key(), fixture.version.revision).unwrap().allocated == 2;
    while !all_there() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        assert_eq!(text(&fixture.invoke("how").await.unwrap()), "provisioned-concurrency");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn fewer_are_wanted_and_the_others_stop() {
    let fixture = Fixture::start(tells());
    fixture.provision(4).await;
    fixture.keep(Initialization::Provisioned, 1);
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 3).await;
    fixture.engine.keep(&fixture.key(), &[]);
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 4).await;
    assert_eq!(fixture.engine.allocation(&fixture.key(), fixture.version.revision), None);
    assert_eq!(text(&fixture.invoke("how").await.unwrap()), "on-demand");
}

#[tokio::test]
async fn what_is_wanted_moves_to_another_revision() {
    let fixture = Fixture::start(tells());
    fixture.provision(2).await;
    let next = Arc::new(version("f"));
    let kept = Kept { version: Arc::clone(&next), kind: Initialization::Provisioned, count: 2 };
    fixture.engine.keep(&fixture.key(), &[kept]);
    let allocated = fixture.engine.allocated(&fixture.key(), next.revision).await.unwrap();
    assert_eq!(allocated.status, AllocationStatus::Ready);
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 2).await;
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_failed_initialization_is_told_and_tried_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let fake = Fake::new(move |inside| {
        let is_broken = is_broken.load(Ordering::SeqCst);
        async move {
            let mut api = inside.connect().await;
            if is_broken {
                api.fail_init("Runtime.ImportModuleError", b"{}").await;
                return Exit::Code(1);
            }
            loop {
                let event = api.next().await;
                api.respond(&event.request_id, &event.payload).await;
            }
        }
    });
    let fixture = Fixture::start(fake);
    fixture.keep(Initialization::Provisioned, 1);
    let failed = AllocationStatus::Failed("Runtime.ImportModuleError".to_owned());
    assert_eq!(fixture.allocated().await.status, failed);
    broken.store(false, Ordering::SeqCst);
    let ready = async {
        while fixture.allocated().await.status != AllocationStatus::Ready {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready).await.expect("it is tried again");
    assert_eq!(fixture.invoke("x").await.unwrap().capacity, Capacity::Provisioned);
}

/// A runtime that never comes up.
fn hangs() -> Fake {
    Fake::new(|_| std::future::pending::<Exit>())
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_what_nobody_waits_for() {
    let fixture = Fixture::start(hangs());
    fixture.keep(Initialization::Provisioned, 2);
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    let shutdown = fixture.engine.shutdown(Duration::from_secs(3600));
    tokio::time::timeout(Duration::from_secs(10), shutdown).await.expect("at once");
    // That is no failure of the function's.
    let allocation = fixture.engine.allocation(&fixture.key(), fixture.version.revision).unwrap();
    assert_eq!(allocation.status, AllocationStatus::InProgress);
}

#[tokio::test]
async fn what_is_deleted_while_it_is_initialised_is_initialised_no_further() {
    let fixture = Fixture::start(hangs());
    fixture.keep(Initialization::Provisioned, 2);
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    fixture.engine.forget(&fixture.key());
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 2).await;
}

#[tokio::test]
async fn nobody_else_gets_what_is_provisioned() {
    let limits = Limits { concurrency: 3, ..Limits::default() };
    let fixture = Fixture::configured(Fake::echo(), version("f"), limits);
    fixture.provision(3).await;
    let other = Invocation { version: Arc::new(version("g")), ..fixture.invocation("y") };
    let throttled = InvokeError::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded };
    assert_eq!(fixture.engine.invoke(other.clone()).await.unwrap_err(), throttled);
    fixture.engine.keep(&fixture.key(), &[]);
    assert_eq!(text(&fixture.engine.invoke(other).await.unwrap()), "y");
}

fn snap_start() -> FunctionVersion {
    FunctionVersion { snap_start: true, ..version("f") }
}

#[tokio::test]
async fn a_version_with_snap_start_has_one_environment_ready_and_then_the_next() {
    let fixture = Fixture::configured(tells(), snap_start(), Limits::default());
    fixture.keep(Initialization::SnapStart, 1);
    assert_eq!(fixture.allocated().await.status, AllocationStatus::Ready);
    let outcome = fixture.invoke("how").await.unwrap();
    assert_eq!((text(&outcome), outcome.capacity), ("snap-start", Capacity::OnDemand));
    fixture.until(|fake| fake.counts().starts.load(Ordering::SeqCst), 2).await;
    // The one that has served goes first, and the one that waits is the only one that does.
    for _ in 0..20 {
        fixture.invoke("how").await.unwrap();
    }
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn want_of_memory_takes_what_only_saves_time_and_leaves_what_was_promised() {
    let fixture = Fixture::configured(tells(), snap_start(), Limits::default());
    fixture.keep(Initialization::SnapStart, 1);
    fixture.allocated().await;
    let promised = Arc::new(version("g"));
    let key = FunctionKey::of(&promised);
    let kept = Kept { version: Arc::clone(&promised), kind: Initialization::Provisioned, count: 1 };
    fixture.engine.keep(&key, &[kept]);
    fixture.engine.allocated(&key, promised.revision).await;
    let available = &fixture.fake.counts().available_memory_mib;
    available.store(1, Ordering::SeqCst);
    let other = Invocation { version: Arc::new(version("h")), ..fixture.invocation("how") };
    assert_eq!(text(&fixture.engine.invoke(other).await.unwrap()), "on-demand");
    fixture.until(|fake| fake.counts().destroyed.load(Ordering::SeqCst), 1).await;
    assert_eq!(fixture.engine.allocation(&key, promised.revision).unwrap().allocated, 1);
    // Made again when there is a request.
    available.store(1 << 20, Ordering::SeqCst);
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 3);
    fixture.invoke("how").await.unwrap();
    fixture.until(|fake| fake.counts().cells.load(Ordering::SeqCst), 5).await;
}
