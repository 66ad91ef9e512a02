//! Functions in real sandboxes: what a user of Lambda sees of an environment's life.

pub(crate) mod support;

use std::time::Duration;

use domain::{FunctionVersion, Runtime};
use engine::{FunctionKey, InvokeError, Limits, Start, ThrottleReason};
use support::{Fixture, error_type, invocation, json, text};

#[tokio::test]
async fn a_python_function_answers_and_its_module_is_loaded_once() {
    let fixture = Fixture::start().await;
    let version = fixture.python(
        "import os\ncalls = 0\n\
         def handler(event, context):\n    global calls\n    calls += 1\n\
         \x20   return {'event': event, 'calls': calls, 'greeting': os.environ['GREETING'], 'cwd': os.getcwd()}\n",
    );
    let first = fixture.invoke(&version, r#"{"a": 1}"#).await;
    assert!(matches!(first.start, Start::Cold { .. }), "{first:?}");
    let answer = json(&first);
    assert_eq!(answer["event"]["a"], 1);
    assert_eq!((answer["greeting"].as_str(), answer["cwd"].as_str()), (Some("hello"), Some("/var/task")));
    for calls in 2..20 {
        let outcome = fixture.invoke(&version, "{}").await;
        assert_eq!((json(&outcome)["calls"].as_u64(), outcome.start), (Some(calls), Start::Warm));
    }
}

#[tokio::test]
async fn a_node_function_answers() {
    let fixture = Fixture::start().await;
    let code = "export const handler = async (event, context) => ({ event, id: context.awsRequestId });";
    let version = fixture.function(Runtime::Node20, "index.mjs", code);
    let invocation = invocation(&version, r#"{"a": 1}"#);
    let id = invocation.request_id.to_string();
    let answer = json(&fixture.engine.invoke(invocation).await.unwrap());
    assert_eq!((answer["event"]["a"].as_u64(), answer["id"].as_str()), (Some(1), Some(id.as_str())));
}

/// A runtime of its own, in a few lines of Python.
const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    request_id, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    print("custom runtime says", body.decode(), flush=True)
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", body)
    api.getresponse().read()
"#;

#[tokio::test]
async fn a_custom_runtime_answers() {
    let fixture = Fixture::start().await;
    let version = fixture.function(Runtime::ProvidedAl2023, "bootstrap", BOOTSTRAP);
    let (outcome, tail) = fixture.invoke_tail(&version, "\"ping\"").await;
    assert_eq!(text(&outcome), "\"ping\"");
    assert!(tail.contains("\ncustom runtime says \"ping\"\n"), "{tail}");
}

#[tokio::test]
async fn a_package_without_a_bootstrap_or_with_one_that_cannot_run_is_told_so() {
    let fixture = Fixture::start().await;
    let version = fixture.function(Runtime::ProvidedAl2023, "other", "");
    let outcome = fixture.invoke(&version, "{}").await;
    assert_eq!(error_type(&outcome), "Runtime.InvalidEntrypoint");
    assert!(
        text(&outcome).contains("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        "{}",
        text(&outcome)
    );
    let version = fixture.function(Runtime::ProvidedAl2023, "bootstrap", "not a program");
    let outcome = fixture.invoke(&version, "{}").await;
    assert_eq!(error_type(&outcome), "Runtime.InvalidEntrypoint");
    assert!(
        text(&outcome).contains("fork/exec /var/task/bootstrap: exec format error"),
        "{}",
        text(&outcome)
    );
}

#[tokio::test]
async fn after_a_timeout_the_environment_recovers_and_tmp_is_kept() {
    let fixture = Fixture::start().await;
    let mut version = fixture.python(
        "import os, time\n\
         def handler(event, context):\n\
         \x20   if event == 'hang':\n        open('/tmp/kept', 'w').write('yes')\n        time.sleep(60)\n\
         \x20   return os.path.exists('/tmp/kept')\n",
    );
    version.timeout = Duration::from_secs(1);
    assert_eq!(text(&fixture.invoke(&version, "\"look\"").await), "false");
    let (late, tail) = fixture.invoke_tail(&version, "\"hang\"").await;
    assert_eq!(error_type(&late), "Sandbox.Timedout");
    assert!(text(&late).ends_with(" Error: Task timed out after 1.00 seconds\"}"), "{}", text(&late));
    let report = tail.lines().last().unwrap();
    assert!(report.contains("\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t"), "{tail}");
    assert!(report.ends_with("\tStatus: timeout"), "{tail}");
    version.timeout = Duration::from_secs(20);
    assert_eq!(text(&fixture.invoke(&version, "\"look\"").await), "true");
}

#[tokio::test]
async fn exits_and_signals_are_told_with_their_status() {
    let fixture = Fixture::start().await;
    let version = fixture.python(
        "import os, signal\n\
         def handler(event, context):\n\
         \x20   if event == 'kill':\n        os.kill(os.getpid(), signal.SIGSEGV)\n\
         \x20   if event is not None:\n        os._exit(event)\n\
         \x20   return 'fine'\n",
    );
    for (event, message) in [
        ("0", "Runtime exited without providing a reason"),
        ("3", "Runtime exited with error: exit status 3"),
        ("\"kill\"", "Runtime exited with error: signal: segmentation fault"),
    ] {
        let outcome = fixture.invoke(&version, event).await;
        assert_eq!(error_type(&outcome), "Runtime.ExitError");
        assert!(text(&outcome).ends_with(&format!(" Error: {message}\"}}")), "{}", text(&outcome));
    }
    assert_eq!(text(&fixture.invoke(&version, "null").await), "\"fine\"");
}

#[tokio::test]
async fn a_function_that_takes_too_much_memory_is_killed_and_recovers() {
    let fixture = Fixture::start().await;
    if !fixture.sandboxes.strength().memory.is_enforced() {
        return;
    }
    let mut version = fixture.python(
        "def handler(event, context):\n    data = bytearray(event * 1024 * 1024)\n    return len(data)\n",
    );
    version.memory_mib = 128;
    let (killed, tail) = fixture.invoke_tail(&version, "400").await;
    assert_eq!(error_type(&killed), "Runtime.OutOfMemory", "{}", text(&killed));
    assert!(
        text(&killed).ends_with(" Error: Runtime exited with error: signal: killed\"}"),
        "{}",
        text(&killed)
    );
    let report = tail.lines().last().unwrap();
    assert!(report.contains("\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t"), "{tail}");
    assert!(report.ends_with("\tStatus: error\tError Type: Runtime.OutOfMemory"), "{tail}");
    assert_eq!(text(&fixture.invoke(&version, "1").await), "1048576");
}

#[tokio::test]
async fn the_largest_response_passes_and_a_larger_one_is_an_error() {
    let fixture = Fixture::start().await;
    let version = fixture.python("def handler(event, context):\n    return 'x' * event\n");
    let largest = domain::limits::SYNC_RESPONSE_BYTES - 2;
    assert_eq!(fixture.invoke(&version, &largest.to_string()).await.payload.len(), largest + 2);
    let outcome = fixture.invoke(&version, &(largest + 1).to_string()).await;
    assert_eq!(error_type(&outcome), "Function.ResponseSizeTooLarge");
    assert_eq!(text(&fixture.invoke(&version, "1").await), "\"x\"");
}

#[tokio::test]
async fn the_largest_event_arrives_whole() {
    let fixture = Fixture::start().await;
    let version = fixture.python("def handler(event, context):\n    return len(event)\n");
    let length = domain::limits::SYNC_PAYLOAD_BYTES - 2;
    let payload = format!("\"{}\"", "x".repeat(length));
    assert_eq!(text(&fixture.invoke(&version, &payload).await), length.to_string());
}

#[tokio::test]
async fn an_import_that_fails_is_reported_after_a_second_try_and_the_next_one_too() {
    let mut fixture = Fixture::start().await;
    let version = fixture.python("import does_not_exist\ndef handler(event, context): pass\n");
    for _ in 0..2 {
        let outcome = fixture.invoke(&version, "{}").await;
        assert_eq!(error_type(&outcome), "Runtime.ImportModuleError");
        assert!(text(&outcome).contains("does_not_exist"), "{}", text(&outcome));
    }
    let lines = fixture.lines_until("REPORT RequestId").await;
    let inits = lines.iter().filter(|line| line.starts_with("INIT_REPORT ")).collect::<Vec<_>>();
    assert!(
        inits[0].contains("\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError"),
        "{lines:#?}"
    );
    assert!(inits[1].contains("\tPhase: invoke\tStatus: error\tError Type: "), "{lines:#?}");
}

#[tokio::test]
async fn an_init_that_takes_too_long_goes_on_under_the_functions_timeout() {
    let limits = Limits { init_timeout: Duration::from_millis(500), ..Limits::default() };
    let mut fixture = Fixture::with(limits).await;
    let version = fixture.python("import time\ntime.sleep(1)\ndef handler(event, context): return 'up'\n");
    assert_eq!(text(&fixture.invoke(&version, "{}").await), "\"up\"");
    let lines = fixture.lines_until("REPORT RequestId").await;
    assert!(lines.iter().any(|line| line.ends_with("\tPhase: init\tStatus: timeout")), "{lines:#?}");
}

/// Waits until so many invocations run.
async fn running(fixture: &Fixture, version: &FunctionVersion, count: u32) {
    while fixture.engine.running(&version.scope) < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn requests_at_once_run_in_as_many_environments_and_one_more_is_throttled() {
    let limits = Limits { concurrency: 4, ..Limits::default() };
    let fixture = Fixture::with(limits).await;
    let version = fixture.python(
        "import time, os, uuid\nme = str(uuid.uuid4())\n\
         def handler(event, context):\n    time.sleep(event)\n    return me\n",
    );
    let together = || fixture.invoke(&version, "3");
    let one_more = async {
        running(&fixture, &version, 4).await;
        fixture.try_invoke(&version, "0").await
    };
    let (a, b, c, d, throttled) = tokio::join!(together(), together(), together(), together(), one_more);
    let mut environments = [text(&a), text(&b), text(&c), text(&d)];
    environments.sort_unstable();
    assert!(environments.windows(2).all(|pair| pair[0] != pair[1]), "{environments:?}");
    let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
    assert_eq!(throttled.unwrap_err(), InvokeError::Throttled { reason });
    let again = fixture.invoke(&version, "0").await;
    assert!(environments.contains(&text(&again)));
}

#[tokio::test]
async fn an_update_while_busy_lets_the_old_revision_finish_and_the_new_one_start_afresh() {
    let fixture = Fixture::start().await;
    let old = fixture
        .python("import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'old'\n");
    let new = fixture.python("import os\ndef handler(event, context): return ['new', os.listdir('/tmp')]\n");
    fixture.invoke(&old, "0").await;
    let update = async {
        running(&fixture, &old, 1).await;
        fixture.engine.retire(&FunctionKey::of(&old), Some(new.revision));
        fixture.invoke(&new, "0").await
    };
    let (finished, fresh) = tokio::join!(fixture.invoke(&old, "1"), update);
    assert_eq!((text(&finished), text(&fresh)), ("\"old\"", "[\"new\", []]"));
}

#[tokio::test]
async fn the_tail_holds_what_was_printed_in_order_from_start_to_report() {
    let fixture = Fixture::start().await;
    let version = fixture.python(
        "import logging, sys\nlogging.getLogger().setLevel('INFO')\n\
         def handler(event, context):\n    print('printed')\n    logging.info('logged\\nin two lines')\n\
         \x20   print('printed again')\n    raise ValueError('thrown')\n",
    );
    for _ in 0..10 {
        let (outcome, tail) = fixture.invoke_tail(&version, "{}").await;
        assert_eq!(json(&outcome)["errorType"], "ValueError");
        let at = |text: &str| tail.find(text).unwrap_or_else(|| panic!("{text} is not in {tail}"));
        let order = [
            "START RequestId: ",
            "printed\n",
            "logged\nin two lines",
            "printed again\n",
            "ValueError: thrown",
        ];
        let places: Vec<usize> =
            order.iter().map(|text| at(text)).chain([at("END RequestId"), at("REPORT ")]).collect();
        assert!(places.is_sorted(), "{tail}");
        assert!(tail.ends_with("\t\n"), "{tail}");
    }
}

#[tokio::test]
async fn a_report_has_true_figures() {
    let fixture = Fixture::start().await;
    let version =
        fixture.python("import time\ntime.sleep(0.2)\ndef handler(event, context): time.sleep(0.1)\n");
    let (outcome, tail) = fixture.invoke_tail(&version, "{}").await;
    assert_eq!(text(&outcome), "null");
    let report = tail.lines().last().unwrap().to_owned();
    let field = |name: &str| -> f64 {
        let value = report.split('\t').find_map(|field| field.strip_prefix(&format!("{name}: "))).unwrap();
        value.split(' ').next().unwrap().parse().unwrap()
    };
    let (duration, init) = (field("Duration"), field("Init Duration"));
    assert!((100.0..1000.0).contains(&duration), "{report}");
    assert!((200.0..3000.0).contains(&init), "{report}");
    assert!((field("Billed Duration") - (duration + init).ceil()).abs() <= 1.0, "{report}");
    if fixture.sandboxes.strength().memory.is_enforced() {
        assert!((5.0..200.0).contains(&field("Max Memory Used")), "{report}");
    }
    let (_, tail) = fixture.invoke_tail(&version, "{}").await;
    assert!(!tail.contains("Init Duration"), "{tail}");
}

#[tokio::test]
async fn a_frozen_environment_does_not_run_and_answers_when_it_is_needed() {
    let fixture = Fixture::start().await;
    if !fixture.sandboxes.strength().freeze.is_enforced() {
        return;
    }
    let version = fixture.python(
        "import threading, time\nticks = 0\ndef tick():\n    global ticks\n    while True:\n        ticks += 1\n        time.sleep(0.01)\n\
         threading.Thread(target=tick, daemon=True).start()\n\
         def handler(event, context): return ticks\n",
    );
    fixture.invoke(&version, "{}").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before: u64 = text(&fixture.invoke(&version, "{}").await).parse().unwrap();
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let after: u64 = text(&fixture.invoke(&version, "{}").await).parse().unwrap();
    assert!(after - before < 20, "{before} {after}: it ran while it should have been frozen");
}

#[tokio::test]
async fn a_shutdown_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    let version = fixture.python("import time\ndef handler(event, context): time.sleep(event)\n");
    fixture.invoke(&version, "0").await;
    let shutdown = async {
        running(&fixture, &version, 1).await;
        fixture.engine.shutdown(Duration::from_secs(10)).await;
    };
    let (finished, ()) = tokio::join!(fixture.try_invoke(&version, "1"), shutdown);
    assert_eq!(text(&finished.unwrap()), "null");
    assert_eq!(fixture.try_invoke(&version, "0").await.unwrap_err(), InvokeError::ShuttingDown);
}
