use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::Start;
use crate::isolation::*;

#[tokio::test]
async fn an_environment_answers_again_and_again() {
    let fixture = Fixture::start(Fake::echo());
    let first = fixture.invoke("1").await.unwrap();
    assert!(matches!(first.start, Start::Cold { .. }));
    for number in 2..50 {
        let outcome = fixture.invoke(&number.to_string()).await.unwrap();
        assert_eq!(text(&outcome), number.to_string());
        assert_eq!(outcome.start, Start::Warm);
    }
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_timeout_kills_the_runtime_and_the_next_invocation_starts_it_again_in_the_same_cell() {
    let fake = Fake::new(|inside: Inside| async move {
        let starts = {
            let mut notes = inside.notes.lock().unwrap();
            let starts = notes.entry("starts".into()).or_default();
            *starts += "I";
            starts.clone()
        };
        let mut api = inside.connect().await;
        loop {
            let event = api.next().await;
            if event.payload == b"hang" {
                return inside.hang().await;
            }
            api.respond(&event.request_id, starts.as_bytes()).await;
        }
    });
    let mut version = version("f");
    version.timeout = Duration::from_millis(100);
    let mut fixture = Fixture::configured(fake, version, Limits::default());
    assert_eq!(text(&fixture.invoke("").await.unwrap()), "I");
    let late = fixture.invoke("hang").await.unwrap();
    assert_eq!(error_type(&late), "Sandbox.Timedout");
    assert!(text(&late).ends_with("Error: Task timed out after 0.10 seconds\"}"), "{}", text(&late));
    let recovered = fixture.invoke("").await.unwrap();
    assert_eq!((text(&recovered), recovered.start), ("II", Start::Warm));
    assert_eq!(fixture.fake.counts().cells.load(Ordering::SeqCst), 1);
    let lines = fixture.lines_until("Status: timeout").await;
    assert!(lines.last().unwrap().contains("\tDuration: 100.00 ms\tBilled Duration: 100 ms\t"), "{lines:?}");
}

#[tokio::test]
async fn an_exit_answers_at_once_and_the_environment_recovers() {
    let fixture = Fixture::start(handler(|_, payload| async move { payload }));
    let exited = fixture.invoke("exit 3").await.unwrap();
    assert_eq!(error_type(&exited), "Runtime.ExitError");
    assert!(text(&exited).ends_with("Error: Runtime exited with error: exit status 3\"}"));
    assert_eq!(text(&fixture.invoke("again").await.unwrap()), "again");
}

#[tokio::test]
async fn a_kill_for_memory_is_told_apart() {
    let fake = handler(|_, payload| async move { payload });
    let mut fixture = Fixture::start(fake);
    fixture.invoke("1").await.unwrap();
    // What is killed between an answer and this is the answered invocation's.
    fixture.lines_until("REPORT").await;
    fixture.fake.counts().oom_kills.store(1, Ordering::SeqCst);
    let killed = fixture.invoke("exit 137").await.unwrap();
    assert_eq!(error_type(&killed), "Runtime.OutOfMemory");
    assert!(text(&killed).ends_with("signal: killed\"}"));
    // The count is no news any more.
    assert_eq!(error_type(&fixture.invoke("exit 1").await.unwrap()), "Runtime.ExitError");
}

#[tokio::test]
async fn a_failed_init_is_retried_inside_the_first_invocation() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        let body = br#"{"errorMessage":"no module","errorType":"Runtime.ImportModuleError","requestId":""}"#;
        api.fail_init("Runtime.ImportModuleError", body).await;
        Exit::Code(1)
    });
    let mut fixture = Fixture::start(fake);
    let outcome = fixture.invoke("{}").await.unwrap();
    assert_eq!(error_type(&outcome), "Runtime.ImportModuleError");
    assert!(text(&outcome).contains(r#""requestId":"""#));
    assert_eq!(fixture.fake.counts().starts.load(Ordering::SeqCst), 2);
    let lines = fixture.lines_until("REPORT RequestId").await;
    let kinds: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(kinds, ["INIT_START", "INIT_REPORT", "START", "INIT_START", "INIT_REPORT", "END", "REPORT"]);
    assert!(lines[1].ends_with("\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError"));
    assert!(lines[4].contains("\tPhase: invoke\t"));
    assert!(lines[6].ends_with("Status: error\tError Type: Runtime.ImportModuleError"));
}

#[tokio::test]
async fn an_init_that_takes_too_long_is_retried_under_the_functions_own_timeout() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    let fake = Fake::new(|inside: Inside| async move {
        if STARTS.fetch_add(1, Ordering::SeqCst) == 0 {
            return inside.hang().await;
        }
        let mut api = inside.connect().await;
        loop {
            let event = api.next().await;
            api.respond(&event.request_id, b"\"up\"").await;
        }
    });
    let limits = Limits { init_timeout: Duration::from_millis(50), ..Limits::default() };
    let mut fixture = Fixture::configured(fake, version("f"), limits);
    assert_eq!(text(&fixture.invoke("{}").await.unwrap()), "\"up\"");
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert!(lines[1].ends_with("\tPhase: init\tStatus: timeout"), "{lines:?}");
    assert!(!lines.last().unwrap().contains("Init Duration"), "{lines:?}");
}

#[tokio::test]
async fn a_package_without_a_program_is_the_functions_error() {
    #[derive(Clone)]
    struct NoEntrypoint(Fake);
    struct Cellar(Box<dyn Cell>);
    impl Isolation for NoEntrypoint {
        fn acquire<'a>(
            &'a self,
            version: &'a Arc<FunctionVersion>,
        ) -> BoxFuture<'a, Result<Box<dyn Cell>, StartError>> {
            Box::pin(async move { Ok(Box::new(Cellar(self.0.acquire(version).await?)) as _) })
        }
        fn available_memory_mib(&self) -> u64 {
            u64::MAX / 2
        }
    }
    impl Cell for Cellar {
        fn runtime_version(&self) -> &str {
            "fake:0"
        }
        fn listener(&self) -> Arc<tokio::net::TcpListener> {
            self.0.listener()
        }
        fn start(
            &mut self,
            _: std::collections::BTreeMap<String, String>,
        ) -> BoxFuture<'_, Result<Process, StartError>> {
            Box::pin(async {
                Err(StartError::InvalidEntrypoint("Couldn't find valid bootstrap(s): [x]".into()))
            })
        }
        fn extensions(&self) -> &[String] {
            self.0.extensions()
        }
        fn start_extension(
            &self,
            name: &str,
            variables: std::collections::BTreeMap<String, String>,
        ) -> BoxFuture<'_, Result<Process, LaunchError>> {
            self.0.start_extension(name, variables)
        }
        fn dialer(&self) -> Dialer {
            self.0.dialer()
        }
        fn begin_init(&self) -> Result<(), Fault> {
            self.0.begin_init()
        }
        fn end_init(&self) -> Result<(), Fault> {
            self.0.end_init()
        }
        fn freeze(&self) -> Result<(), Fault> {
            self.0.freeze()
        }
        fn thaw(&self) -> Result<(), Fault> {
            self.0.thaw()
        }
        fn kill(&self) -> BoxFuture<'_, Result<(), Fault>> {
            self.0.kill()
        }
        fn usage(&self) -> Usage {
            self.0.usage()
        }
        fn destroy(self: Box<Self>) -> BoxFuture<'static, ()> {
            self.0.destroy()
        }
    }
    let fixture = Fixture::start(Fake::echo());
    let mut options = Options::new(
        Arc::new(NoEntrypoint(Fake::echo())),
        mpsc::channel(100).0,
        Arc::new(|_: &FunctionVersion| Credentials {
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: String::new(),
            expiration: Timestamp(0),
        }),
    );
    options.limits = Limits::default();
    let outcome = Engine::start(options).invoke(fixture.invocation("{}")).await.unwrap();
    assert_eq!(error_type(&outcome), "Runtime.InvalidEntrypoint");
    assert!(
        text(&outcome).ends_with("Error: Couldn't find valid bootstrap(s): [x]\"}"),
        "{}",
        text(&outcome)
    );
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_the_function() {
    let (finished, mut done) = mpsc::unbounded_channel();
    let fixture = Fixture::start(handler(move |_, payload| {
        let finished = finished.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            finished.send(payload.clone()).unwrap();
            payload
        }
    }));
    let invocation = fixture.invoke("finish me");
    assert!(tokio::time::timeout(Duration::from_millis(10), invocation).await.is_err());
    assert_eq!(done.recv().await.as_deref(), Some("finish me"));
    assert_eq!(text(&fixture.invoke("next").await.unwrap()), "next");
}

#[tokio::test]
async fn a_runtime_that_dies_while_idle_is_started_again() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        let event = api.next().await;
        api.respond(&event.request_id, b"once").await;
        Exit::Signal(11)
    });
    let fixture = Fixture::start(fake);
    for _ in 0..5 {
        assert_eq!(text(&fixture.invoke("{}").await.unwrap()), "once");
    }
}

#[tokio::test]
async fn an_environment_is_frozen_when_it_rests_and_thawed_for_the_next_invocation() {
    let limits = Limits { freeze_after: Duration::from_millis(5), ..Limits::default() };
    let fixture = Fixture::configured(Fake::echo(), version("f"), limits);
    fixture.invoke("1").await.unwrap();
    fixture.until(|fake| fake.counts().freezes.load(Ordering::SeqCst), 1).await;
    assert_eq!(text(&fixture.invoke("2").await.unwrap()), "2");
    assert_eq!(fixture.fake.counts().thaws.load(Ordering::SeqCst), 1);
}
