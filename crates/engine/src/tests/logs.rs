use domain::LogFormat;

use super::*;

#[tokio::test]
async fn the_tail_has_everything_that_was_printed_before_the_response_and_the_report() {
    let fixture = Fixture::start(handler(|inside, payload| async move {
        inside.print("hello\nwor").await;
        inside.print("ld\n").await;
        inside.print_error("careful").await;
        payload
    }));
    for _ in 0..200 {
        let (outcome, tail) = fixture.invoke_tail("{}").await;
        assert_eq!(text(&outcome), "{}");
        let lines: Vec<&str> = tail.lines().collect();
        assert!(lines[0].starts_with("START RequestId: "), "{tail}");
        assert_eq!(lines[1..4], ["hello", "world", "careful"], "{tail}");
        assert!(lines[4].starts_with("END RequestId: "), "{tail}");
        assert!(lines[5].starts_with("REPORT RequestId: ") && lines[5].ends_with('\t'), "{tail}");
    }
}

#[tokio::test]
async fn lines_of_one_invocation_stand_between_its_start_and_end() {
    let mut fixture = Fixture::start(handler(|inside, payload| async move {
        inside.print(&format!("printed {payload}\n")).await;
        payload
    }));
    for number in 0..50 {
        fixture.invoke(&number.to_string()).await.unwrap();
    }
    let lines = fixture.lines_until("printed 49").await;
    let mut expected = Vec::new();
    for number in 0..50 {
        expected.extend(["START RequestId:".to_owned(), format!("printed {number}")]);
        expected.extend(["END RequestId:".to_owned(), "REPORT RequestId:".to_owned()]);
    }
    assert_eq!(lines[0], lines[0].trim());
    for (line, expected) in lines[1..].iter().zip(expected) {
        assert!(line.starts_with(&expected), "{line} instead of {expected}");
    }
}

#[tokio::test]
async fn only_the_first_report_has_an_init_duration_and_bills_it() {
    let mut fixture = Fixture::start(Fake::echo());
    fixture.invoke("1").await.unwrap();
    let first = fixture.lines_until("REPORT RequestId").await.pop().unwrap();
    fixture.invoke("2").await.unwrap();
    fixture.invoke("3").await.unwrap();
    let second = fixture.lines_until("REPORT RequestId").await.pop().unwrap();
    assert!(first.contains("\tInit Duration: "), "{first}");
    assert!(!second.contains("Init Duration"), "{second}");
    assert!(second.contains("\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t"), "{second}");
}

#[tokio::test]
async fn platform_lines_are_json_when_the_function_wants_json() {
    let mut version = version("f");
    version.logging.format = LogFormat::Json;
    version.logging.application_level = Some("WARN".to_owned());
    let fake = handler(|inside, payload| async move {
        inside.print("{\"level\":\"INFO\",\"message\":\"quiet\"}\n{\"level\":\"ERROR\"}\nplain\n").await;
        payload
    });
    let fixture = Fixture::configured(fake, version, Limits::default());
    let (_, tail) = fixture.invoke_tail("{}").await;
    let lines: Vec<&str> = tail.lines().collect();
    assert!(lines[0].contains("\"type\":\"platform.start\""), "{tail}");
    assert_eq!(lines[1..3], ["{\"level\":\"ERROR\"}", "plain"], "{tail}");
    let report: serde_json::Value = serde_json::from_str(lines[3]).unwrap();
    assert_eq!(report["type"], "platform.report");
    assert_eq!(report["record"]["metrics"]["memorySizeMB"], 128);
}

#[tokio::test]
async fn a_full_log_channel_does_not_hold_up_invocations_that_do_not_print() {
    let (sender, _never_read) = mpsc::channel(1);
    let fixture = Fixture::start(Fake::echo());
    let options = Options::new(
        Arc::new(Fake::echo()),
        sender,
        Arc::new(|_: &FunctionVersion| Credentials {
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: String::new(),
            expiration: Timestamp(0),
        }),
    );
    let engine = Engine::start(options);
    for _ in 0..3000 {
        engine.invoke(fixture.invocation("{}")).await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_an_idle_environment_is_no_failure_to_its_runtime() {
    let fake = Fake::new(|inside: Inside| async move {
        let mut api = inside.connect().await;
        let event = api.next().await;
        api.respond(&event.request_id, b"1").await;
        let answered = api.request("GET", "/2018-06-01/runtime/invocation/next", "", b"").await;
        inside.print(&format!("answered {}\n", answered.status)).await;
        inside.hang().await
    });
    let mut fixture = Fixture::start(fake);
    fixture.invoke("").await.unwrap();
    fixture.lines_until("REPORT RequestId").await;
    fixture.engine.shutdown(Duration::from_secs(10)).await;
    drop(fixture.engine);
    let mut said = Vec::new();
    while let Ok(line) = fixture.logs.try_recv() {
        said.push(line.message);
    }
    assert_eq!(said, Vec::<String>::new());
}
