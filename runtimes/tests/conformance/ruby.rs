//! Ruby.

use domain::{Family, Runtime};
use serde_json::{Value, json};

use crate::api::Report;
use crate::machine::{ARN, Function, Machine, REQUEST_ID, as_runtime, catalogue};

const FILE: &str = "lambda_function.rb";

/// Runs `test` with the Ruby that is here. There need be none: not everybody who builds Hearth has one.
fn each(test: impl Fn(&Machine)) {
    match catalogue().interpreters().any(|it| it.family == Family::Ruby) {
        true => as_runtime(Runtime::Ruby34, test),
        false => eprintln!("skipped: no Ruby on this machine"),
    }
}

fn start(machine: &Machine, code: &str) -> Function {
    machine.start(&[(FILE, code)], "lambda_function.handler")
}

fn ok(report: Report) -> Value {
    assert_eq!(
        report.path,
        format!("invocation/{REQUEST_ID}/response"),
        "{}",
        String::from_utf8_lossy(&report.body)
    );
    report.json()
}

fn failure(report: &Report) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/error"));
    let failure = report.json();
    assert_eq!(report.headers["lambda-runtime-function-error-type"], failure["errorType"].as_str().unwrap());
    failure
}

#[test]
fn what_the_handler_returns_is_the_response() {
    each(|machine| {
        let code = "$calls = 0\ndef handler(event:, context:)\n  $calls += 1\n  event == 'calls' ? $calls : event\nend\n";
        let function = start(machine, code);
        let event = json!({"text": "grüß\u{1F600}", "numbers": [1, -2.5], "none": null});
        assert_eq!(ok(function.invoke(&event.to_string())), event);
        assert_eq!(ok(function.invoke("null")), Value::Null);
        assert_eq!(ok(function.invoke("\"calls\"")), json!(3));
        let large = format!("\"{}\"", "ü".repeat(3_000_000));
        assert_eq!(function.invoke(&large).body, large.as_bytes());
        assert_eq!(function.api.connections(), 1, "the connection is kept");
    });
}

#[test]
fn every_form_of_handler_is_called() {
    each(|machine| {
        let code = "require 'stringio'\nmodule Shop\n  class Till\n    def self.pay(event:, context:) = { paid: event }\n  end\nend\n\
                    def raw(event:, context:) = StringIO.new('as it is')\n";
        let files = [("app/till.rb", code)];
        assert_eq!(ok(machine.start(&files, "app/till.Shop::Till.pay").invoke("5")), json!({"paid": 5}));
        let raw = machine.start(&files, "app/till.raw").invoke("{}");
        assert_eq!(
            (raw.body.as_slice(), raw.headers["content-type"].as_str()),
            (b"as it is".as_slice(), "application/unknown")
        );
    });
}

#[test]
fn an_error_has_aws_form_and_the_environment_survives() {
    each(|machine| {
        let code = "def inner = raise(ArgumentError, 'über')\ndef handler(event:, context:)\n  inner if event == 0\n  Process.pid\nend\n";
        let function = start(machine, code);
        let pid = ok(function.invoke("1"));
        let failed = failure(&function.invoke("0"));
        assert_eq!(
            (&failed["errorMessage"], &failed["errorType"]),
            (&json!("über"), &json!("Function<ArgumentError>"))
        );
        let trace = failed["stackTrace"].as_array().unwrap();
        assert_eq!(trace.len(), 2, "{trace:?}");
        assert!(
            trace[0].as_str().unwrap().starts_with(&format!("{}:1:in ", function.task.join(FILE).display())),
            "{trace:?}"
        );
        function.output.with("Error raised from handler method");
        assert_eq!(ok(function.invoke("1")), pid);
    });
}

#[test]
fn a_critical_error_ends_the_runtime_after_it_was_reported() {
    each(|machine| {
        let mut function = start(machine, "def handler(event:, context:) = missing\n");
        assert_eq!(failure(&function.invoke("{}"))["errorType"], "Function<NameError>");
        assert_eq!(function.exit_code(), 255);
    });
}

#[test]
fn a_handler_that_cannot_be_loaded_fails_the_start() {
    each(|machine| {
        for (file, handler, kind, message) in [
            (FILE, "missing.handler", "Init<LoadError>", "cannot load such file -- missing"),
            (
                FILE,
                "lambda_function",
                "Init<ArgumentError>",
                "must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD",
            ),
            ("broken.rb", "broken.handler", "Init<SyntaxError>", "broken.rb"),
            ("raising.rb", "raising.handler", "Init<RuntimeError>", "not today"),
        ] {
            let code = if file == "broken.rb" { "def (" } else { "raise 'not today'" };
            let (report, code, log) = machine.start(&[(file, code)], handler).failed_start();
            let failed = report.json();
            assert_eq!(failed["errorType"], kind, "{failed}");
            assert!(failed["errorMessage"].as_str().unwrap().contains(message), "{failed}");
            assert_eq!(code, 252);
            assert!(log.contains("Init error when loading handler"), "{log}");
        }
    });
}

#[test]
fn the_context_says_what_lambda_says() {
    each(|machine| {
        let code = "def handler(event:, context:)\n  names = %i[aws_request_id invoked_function_arn log_group_name log_stream_name \
                    function_name memory_limit_in_mb function_version identity client_context]\n  \
                    names.to_h { |name| [name, context.public_send(name)] }.merge(remaining: context.get_remaining_time_in_millis, \
                    greeting: ENV['GREETING'], trace: ENV['_X_AMZN_TRACE_ID'], cwd: Dir.pwd)\nend\n";
        let function = start(machine, code);
        let headers = [
            ("Lambda-Runtime-Client-Context", r#"{"custom": {"a": "b"}}"#),
            ("Lambda-Runtime-Trace-Id", "Root=1-2-3"),
        ];
        function.hand_out(b"{}", &headers);
        let mut seen = ok(function.api.report().unwrap());
        let remaining = seen["remaining"].take().as_i64().unwrap();
        assert!((1..=30_000).contains(&remaining), "{remaining}");
        assert_eq!(
            seen,
            json!({
                "aws_request_id": REQUEST_ID, "invoked_function_arn": ARN, "log_group_name": "/aws/lambda/conformance",
                "log_stream_name": "2026/11/20/[7]5ca1ab1e", "function_name": "conformance", "memory_limit_in_mb": "512",
                "function_version": "7", "identity": null, "client_context": {"custom": {"a": "b"}}, "remaining": null,
                "greeting": "grüß dich", "trace": "Root=1-2-3", "cwd": function.task.to_str().unwrap(),
            })
        );
    });
}

#[test]
fn loggers_write_the_requests_id() {
    each(|machine| {
        let code = "require 'logger'\nLOGGER = Logger.new($stdout)\ndef handler(event:, context:)\n  puts 'printed grüße'\n  LOGGER.info('hello')\nend\n";
        let function = start(machine, code);
        ok(function.invoke("{}"));
        let log = function.output.with("hello");
        assert!(log.starts_with("printed grüße\nI, ["), "{log}");
        assert!(log.trim_end().ends_with(&format!("INFO {REQUEST_ID} -- : hello")), "{log}");
        let variables = [
            ("_LAMBDA_TELEMETRY_LOG_FD", "4"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ];
        let function = machine.start_with(&[(FILE, code)], "lambda_function.handler", &variables);
        ok(function.invoke("{}"));
        let (kind, _, message) = function.frames().remove(0);
        let record: Value = serde_json::from_str(&message).unwrap();
        assert_eq!(
            (kind, &record["level"], &record["message"], &record["requestId"]),
            (0xA55A_0002, &json!("INFO"), &json!("hello"), &json!(REQUEST_ID))
        );
    });
}
