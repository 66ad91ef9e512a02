//! Java.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use domain::{Family, Runtime};
use serde_json::{Value, json};

use crate::api::Report;
use crate::machine::{ARN, Function, Machine, REQUEST_ID, as_runtime, catalogue, everywhere};

/// Runs `test` with every JDK that is here. There need be none: not everybody who builds Hearth has one.
fn each(test: impl Fn(&Machine)) {
    if catalogue().serve(Runtime::Java21).is_err() {
        eprintln!("skipped: no Java on this machine");
        return;
    }
    let exact = catalogue().interpreters().any(|it| {
        it.family == Family::Java
            && ["java11", "java17", "java21", "java25"]
                .contains(&format!("java{}", it.version.major).as_str())
    });
    match exact {
        true => everywhere(Family::Java, test),
        false => as_runtime(Runtime::Java21, test),
    }
}

/// The examples and the interfaces they implement, compiled once.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<tempfile::TempDir> = OnceLock::new();
    let place = CLASSES.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        compile(&sources("example"), &sources("com"), place.path());
        place
    });
    place.path()
}

fn sources(below: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/java").join(below);
    let found = Command::new("find").arg(root).args(["-name", "*.java"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(PathBuf::from).collect()
}

fn compile(sources: &[PathBuf], others: &[PathBuf], to: &Path) {
    let java = catalogue().interpreters().find(|it| it.family == Family::Java).unwrap();
    let mut compiler = Command::new(&java.executable);
    compiler.args([
        "-m",
        "jdk.compiler/com.sun.tools.javac.Main",
        "-source",
        "11",
        "-target",
        "11",
        "-nowarn",
        "-d",
    ]);
    assert!(compiler.arg(to).args(sources).args(others).output().unwrap().status.success());
}

fn start(machine: &Machine, handler: &str) -> Function {
    machine.start_copy(classes(), handler, &[])
}

fn ok(report: Report) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/response"), "{:?}", report.json());
    report.json()
}

fn failure(report: &Report, kind: &str) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/error"));
    assert_eq!(report.headers["lambda-runtime-function-error-type"], kind);
    report.json()
}

#[test]
fn an_untyped_handler_gets_maps_lists_and_scalars() {
    each(|machine| {
        let function = start(machine, "example.Echo");
        let event = json!({"text": "grüß\u{1F600}\n\"", "numbers": [1, -2.5, 12345678901234567890u64, 1e300], "yes": true, "deep": [{"a": []}, null]});
        assert_eq!(ok(function.invoke(&event.to_string())), event);
        assert_eq!(ok(function.invoke("null")), Value::Null);
        assert_eq!(ok(function.invoke(r#""\u00fc\ud83d\ude00\/""#)), json!("ü\u{1F600}/"));
        assert_eq!(ok(function.invoke(r#""calls""#)), json!(1));
        assert_eq!(ok(function.invoke(r#""calls""#)), json!(2), "the instance and its class stay");
        assert_eq!(function.api.connections(), 1, "the connection is kept");
    });
}

#[test]
fn beans_are_read_and_written_by_their_properties() {
    each(|machine| {
        let function = start(machine, "example.Typed::handleRequest");
        let order = r#"{"items": [{"name": "tea", "count": "3", "unknown": {}}], "prices": {"tea": 4}, "size": "SMALL",
            "express": true, "discount": 1, "data": "aGk="}"#;
        let receipt = json!({"first": "teaSMALL1.0hi", "total": 22, "paid": true, "size": "LARGE", "numbers": [1, 2], "naN": "NaN"});
        assert_eq!(ok(function.invoke(order)), receipt);
        let function = start(machine, "example.Typed");
        // A single value stands for a list, and a name that the enumeration lacks for none.
        let order = r#"{"items": {"name": "tea", "count": 1}, "prices": {"tea": 4}, "size": "HUGE"}"#;
        assert_eq!(ok(function.invoke(order))["first"], "teanull0.0");
    });
}

#[test]
fn every_form_of_handler_is_called() {
    each(|machine| {
        for (handler, event, expected) in [
            ("example.Forms$Stream", "[1]", json!({"raw": [1]})),
            ("example.Forms::streams", r#"{"a": 1}"#, json!({"a": 1})),
            ("example.Forms::text", r#""Sam""#, json!("hello Sam")),
            ("example.Forms::text", "5", json!("hello 5")),
            ("example.Forms::sum", "[1, 2, 3]", json!(6)),
            ("example.Forms::nothing", "{}", Value::Null),
            ("example.Forms::overloaded", r#""""#, json!("long")),
        ] {
            assert_eq!(ok(start(machine, handler).invoke(event)), expected, "{handler}");
        }
    });
}

#[test]
fn an_exception_is_reported_with_the_functions_own_frames_and_logged() {
    each(|machine| {
        let function = start(machine, "example.Echo");
        let failed = failure(&function.invoke(r#"{"fail": "über"}"#), "Runtime.UserException");
        let frame = "example.Echo.handleRequest(Echo.java:13)";
        let cause = json!({"errorMessage": "beneath", "errorType": "java.lang.RuntimeException", "stackTrace": [frame]});
        assert_eq!(
            failed,
            json!({"errorMessage": "über", "errorType": "java.lang.IllegalStateException", "stackTrace": [frame], "cause": cause})
        );
        function.output.with(&format!(
            "über: java.lang.IllegalStateException\njava.lang.IllegalStateException: über\n\tat {frame}\n"
        ));
        assert_eq!(ok(function.invoke("1")), json!(1), "the environment survives");
        let failed = failure(&start(machine, "example.Forms::fail").invoke("1"), "Runtime.UserException");
        assert!(
            failed["stackTrace"][0].as_str().unwrap().starts_with("example.Forms.fail(Forms.java:"),
            "{failed}"
        );
    });
}

#[test]
fn what_cannot_be_read_or_written_says_so() {
    each(|machine| {
        let failed = failure(&start(machine, "example.Forms::text").invoke("{}"), "Runtime.UserException");
        assert_eq!(failed["errorMessage"], "An error occurred during JSON parsing");
        assert_eq!(failed["errorType"], "java.lang.RuntimeException");
        assert!(
            failed["cause"]["errorMessage"].as_str().unwrap().contains("`java.lang.String` from an object"),
            "{failed}"
        );
        let failed = failure(&start(machine, "example.Forms::self").invoke("{}"), "Runtime.UserException");
        assert_eq!(failed["errorMessage"], "An error occurred during JSON serialization of response");
    });
}

#[test]
fn a_handler_that_is_not_there_fails_each_invocation() {
    each(|machine| {
        for (handler, message, kind) in [
            (
                "example.Missing",
                "Class not found: example.Missing",
                json!("java.lang.ClassNotFoundException"),
            ),
            (
                "example.Forms",
                "Class does not implement an appropriate handler interface: example.Forms",
                Value::Null,
            ),
            (
                "example.Forms::missing",
                "No public method named missing with appropriate method signature found on class example.Forms",
                Value::Null,
            ),
            ("a::b::c", "Invalid handler: `a::b::c'", Value::Null),
        ] {
            let function = start(machine, handler);
            for _ in 0..2 {
                let failed = failure(&function.invoke("{}"), "Runtime.BadFunctionCode");
                assert_eq!((&failed["errorMessage"], &failed["errorType"]), (&json!(message), &kind));
            }
        }
    });
}

#[test]
fn a_class_that_cannot_be_made_fails_the_start() {
    each(|machine| {
        for (handler, message, kind) in [
            ("example.Forms$Failing::handle", "not today", "java.lang.IllegalArgumentException"),
            (
                "example.Forms$Broken::handle",
                "Error loading class example.Forms$Broken",
                "java.lang.ExceptionInInitializerError",
            ),
        ] {
            let (report, code, log) = start(machine, handler).failed_start();
            assert_eq!(report.json(), json!({"errorMessage": message, "errorType": kind}));
            assert_eq!(code, 1);
            assert!(log.contains(message), "{log}");
        }
    });
}

#[test]
fn the_context_says_what_lambda_says() {
    each(|machine| {
        let function = start(machine, "example.Forms::context");
        let headers = [
            (
                "Lambda-Runtime-Client-Context",
                r#"{"client": {"app_version_code": "7"}, "custom": {"a": "b"}}"#,
            ),
            ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId": "us-east-1:1"}"#),
            ("Lambda-Runtime-Trace-Id", "Root=1-2-3"),
        ];
        function.hand_out(b"{}", &headers);
        let mut seen = ok(function.api.report().unwrap());
        let remaining = seen["remaining"].take().as_i64().unwrap();
        assert!((1..=30_000).contains(&remaining), "{remaining}");
        assert_eq!(
            seen,
            json!({
                "id": REQUEST_ID, "group": "/aws/lambda/conformance", "stream": "2026/11/20/[7]5ca1ab1e", "name": "conformance",
                "version": "7", "arn": ARN, "memory": 512, "remaining": null, "identity": "us-east-1:1", "client": "7",
                "custom": {"a": "b"}, "greeting": "grüß dich", "trace": "Root=1-2-3", "directory": function.task.to_str().unwrap(),
            })
        );
    });
}

#[test]
fn messages_are_printed_and_framed() {
    each(|machine| {
        let function = start(machine, "example.Forms::log");
        ok(function.invoke("{}"));
        let log = function.output.with("two lines");
        assert_eq!(log, "printed grüße\nlogged\nin two lines");
        let function =
            machine.start_copy(classes(), "example.Forms::log", &[("_LAMBDA_TELEMETRY_LOG_FD", "4")]);
        ok(function.invoke("{}"));
        let frames = function.frames();
        assert_eq!((frames[0].0, frames[0].2.as_str()), (0xA55A_0003, "logged\nin two lines"));
    });
}

#[test]
fn large_payloads_pass_both_ways() {
    each(|machine| {
        let large = format!("\"{}\"", "ü".repeat(3_000_000));
        assert_eq!(start(machine, "example.Echo").invoke(&large).body, large.as_bytes());
    });
}

#[test]
fn the_libraries_of_a_package_and_its_layers_are_on_the_class_path() {
    each(|machine| {
        let place = tempfile::tempdir().unwrap();
        let lib = place.path().join("lib");
        std::fs::create_dir(&lib).unwrap();
        let java = catalogue().interpreters().find(|it| it.family == Family::Java).unwrap();
        let mut jar = Command::new(&java.executable);
        jar.args(["-m", "jdk.jartool/sun.tools.jar.Main", "cf"])
            .arg(lib.join("all.jar"))
            .arg("-C")
            .arg(classes())
            .arg(".");
        assert!(jar.status().unwrap().success());
        let function = machine.start_copy(place.path(), "example.Echo::handleRequest", &[]);
        assert_eq!(ok(function.invoke("[1]")), json!([1]));
    });
}

#[test]
fn a_function_may_exit() {
    each(|machine| {
        let mut function = start(machine, "example.Forms::exit");
        function.hand_out(b"{}", &[]);
        assert_eq!(function.exit_code(), 7);
    });
}
