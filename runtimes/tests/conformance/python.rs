//! Python.

use domain::{Family, Runtime};
use serde_json::{Value, json};

use crate::api::Report;
use crate::machine::{ARN, Function, Machine, REQUEST_ID, as_runtime, everywhere};

const FILE: &str = "lambda_function.py";
const HANDLER: &str = "lambda_function.handler";

fn each(test: impl Fn(&Machine)) {
    everywhere(Family::Python, test);
}

fn start(machine: &Machine, code: &str) -> Function {
    machine.start(&[(FILE, code)], HANDLER)
}

fn ok(report: Report) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/response"), "{:?}", report.json());
    assert_eq!(report.headers["content-type"], "application/json");
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
        let function = start(machine, "def handler(event, context):\n    return {'got': event}\n");
        assert_eq!(ok(function.invoke(r#"{"name": "Sam"}"#)), json!({"got": {"name": "Sam"}}));
        assert_eq!(ok(function.invoke("[1, 2.5, null, true]")), json!({"got": [1, 2.5, null, true]}));
        assert_eq!(function.api.connections(), 1, "the connection is kept");
    });
}

#[test]
fn nothing_returned_is_null_and_code_outside_the_handler_runs_once() {
    each(|machine| {
        let code = "calls = []\ndef handler(event, context):\n    calls.append(1)\n    return len(calls) if event else None\n";
        let function = start(machine, code);
        assert_eq!(function.invoke("null").body, b"null");
        assert_eq!(ok(function.invoke("1")), json!(2));
    });
}

#[test]
fn an_exception_is_reported_with_its_trace_and_logged() {
    each(|machine| {
        let code =
            "def inner():\n    raise ValueError('über')\n\ndef handler(event, context):\n    inner()\n";
        let function = start(machine, code);
        let failure = failure(&function.invoke("{}"));
        let path = function.task.join(FILE);
        let path = path.display();
        assert_eq!(
            failure,
            json!({
                "errorMessage": "über", "errorType": "ValueError", "requestId": REQUEST_ID,
                "stackTrace": [
                    format!("  File \"{path}\", line 5, in handler\n    inner()\n"),
                    format!("  File \"{path}\", line 2, in inner\n    raise ValueError('über')\n"),
                ],
            })
        );
        let log = function.output.with("\r\u{a0}\u{a0}\u{a0}\u{a0}raise");
        let start = format!(
            "[ERROR] ValueError: über\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"{path}\", line 5, in handler"
        );
        assert!(log.starts_with(&start), "{log}");
        assert_eq!(log.matches('\n').count(), 1, "one line: {log}");
    });
}

#[test]
fn the_environment_survives_a_function_error() {
    each(|machine| {
        let function = start(
            machine,
            "n = 0\ndef handler(event, context):\n    global n; n += 1\n    if event: return n\n    1/0\n",
        );
        assert_eq!(failure(&function.invoke("0"))["errorType"], "ZeroDivisionError");
        assert_eq!(ok(function.invoke("1")), json!(2));
    });
}

#[test]
fn a_result_that_is_not_json_is_a_marshal_error() {
    let cases = [
        ("{1, 2}", "Object of type set is not JSON serializable"),
        ("object()", "Object of type object is not JSON serializable"),
        ("{(1, 2): 3}", "keys must be str, int, float, bool or None, not tuple"),
        ("circular", "Circular reference detected"),
    ];
    each(|machine| {
        for (value, why) in cases {
            let code = format!(
                "circular = []\ncircular.append(circular)\ndef handler(event, context):\n    return {value}\n"
            );
            let failure = failure(&start(machine, &code).invoke("{}"));
            assert_eq!(failure["errorType"], "Runtime.MarshalError");
            assert_eq!(failure["errorMessage"], format!("Unable to marshal response: {why}"));
            assert_eq!(failure["stackTrace"], json!([]));
        }
    });
}

#[test]
fn values_are_written_as_aws_writes_them() {
    each(|machine| {
        let code = "import decimal, enum\n\
                    class Colour(enum.IntEnum):\n    RED = 1\n\
                    def handler(event, context):\n    return [decimal.Decimal('1.10'), decimal.Decimal('NaN'), b'bytes', Colour.RED, {1: None, True: 2.0}]\n";
        let report = start(machine, code).invoke("{}");
        assert_eq!(String::from_utf8(report.body).unwrap(), r#"[1.10, NaN, "bytes", 1, {"1": 2.0}]"#);
    });
}

#[test]
fn bytes_are_the_response_as_they_are() {
    each(|machine| {
        let report =
            start(machine, "def handler(event, context):\n    return bytes(range(256))\n").invoke("{}");
        assert_eq!(report.body, (0..=255).collect::<Vec<u8>>());
        assert_eq!(report.headers["content-type"], "application/unknown");
    });
}

#[test]
fn text_beyond_ascii_is_escaped_before_3_12_and_not_since() {
    check_escape(Runtime::Python311, r#""gr\u00fc\u00df \ud83d\ude00""#);
    check_escape(Runtime::Python312, "\"grüß 😀\"");
}

fn check_escape(runtime: Runtime, expected: &str) {
    as_runtime(runtime, |machine| {
        let report = start(machine, "def handler(event, context):\n    return event\n").invoke("\"grüß 😀\"");
        assert_eq!(String::from_utf8(report.body).unwrap(), expected);
    });
}

#[test]
fn an_event_that_is_not_json_is_an_unmarshal_error() {
    each(|machine| {
        let failure =
            failure(&start(machine, "def handler(event, context):\n    return 1\n").invoke("{nope"));
        assert_eq!(failure["errorType"], "Runtime.UnmarshalError");
        let message = failure["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("Unable to unmarshal input: "), "{message}");
    });
}

#[test]
fn six_megabytes_go_both_ways() {
    each(|machine| {
        let function = start(machine, "def handler(event, context):\n    return event\n");
        let event = format!("\"{}\"", "x".repeat(6 * 1024 * 1024 - 2));
        assert!(function.invoke(&event).body == event.as_bytes());
        assert_eq!(ok(function.invoke("1")), json!(1));
    });
}

#[test]
fn a_start_that_fails_says_why_and_exits() {
    let cases = [
        (
            "absent.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'absent': No module named 'absent'",
        ),
        (
            HANDLER,
            "import absent",
            "Runtime.ImportModuleError",
            "Unable to import module 'lambda_function': No module named 'absent'",
        ),
        (
            HANDLER,
            "def other(): pass",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'lambda_function'",
        ),
        (
            "handler",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "sys.handler",
            "",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
        (HANDLER, "raise KeyError('config')", "KeyError", "'config'"),
    ];
    each(|machine| {
        for (handler, code, kind, message) in cases {
            let (report, code, log) = machine.start(&[(FILE, code)], handler).failed_start();
            let failure = report.json();
            assert_eq!((&failure["errorType"], &failure["errorMessage"]), (&json!(kind), &json!(message)));
            assert_eq!(failure["requestId"], "");
            assert_eq!(report.headers["lambda-runtime-function-error-type"], kind);
            assert_eq!(code, 1);
            assert!(
                log.starts_with(&format!("[ERROR] {kind}: {message}\rTraceback (most recent call last):")),
                "{log}"
            );
        }
    });
}

#[test]
fn an_exception_outside_the_handler_has_a_trace_to_the_line() {
    each(|machine| {
        let function = start(machine, "\n\nraise KeyError('config')\n");
        let path = function.task.join(FILE);
        let (report, ..) = function.failed_start();
        let trace = report.json()["stackTrace"].as_array().unwrap().clone();
        let last = trace.last().unwrap().as_str().unwrap();
        assert_eq!(
            last,
            format!("  File \"{}\", line 3, in <module>\n    raise KeyError('config')\n", path.display())
        );
        assert!(!report.json().to_string().contains("hearth_runtime_client"), "{:?}", report.json());
    });
}

#[test]
fn a_syntax_error_names_the_file_and_the_line() {
    each(|machine| {
        let function = start(machine, "def handler(event, context):\n    return (\n");
        let path = function.task.join(FILE);
        let (report, ..) = function.failed_start();
        let failure = report.json();
        assert_eq!(failure["errorType"], "Runtime.UserCodeSyntaxError");
        let message = failure["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("Syntax error in module 'lambda_function': "), "{message}");
        assert!(message.ends_with(&format!("({FILE}, line 2)")), "{message}");
        let trace = failure["stackTrace"][0].as_str().unwrap();
        assert!(trace.starts_with(&format!("  File \"{}\" Line 2\n    ", path.display())), "{trace}");
    });
}

#[test]
fn handlers_are_found_in_folders_and_packages() {
    each(|machine| {
        let code = "def run(event, context):\n    return __name__\n";
        for (file, handler) in [("app/main.py", "app/main.run"), ("app/main.py", "app.main.run")] {
            assert_eq!(ok(machine.start(&[(file, code)], handler).invoke("{}")), json!("app.main"));
        }
    });
}

#[test]
fn the_context_has_everything() {
    let code = "def handler(event, context):\n\
                \x20   c = context.client_context\n\
                \x20   return {'id': context.aws_request_id, 'name': context.function_name, 'version': context.function_version,\n\
                \x20           'arn': context.invoked_function_arn, 'memory': context.memory_limit_in_mb, 'group': context.log_group_name,\n\
                \x20           'stream': context.log_stream_name, 'custom': c and c.custom, 'title': c and c.client.app_title, 'env': c and c.env,\n\
                \x20           'cognito': context.identity.cognito_identity_id, 'pool': context.identity.cognito_identity_pool_id,\n\
                \x20           'tenant': context.tenant_id, 'repr': repr(context)[:15],\n\
                \x20           'left': 0 < context.get_remaining_time_in_millis() <= 30000}\n";
    each(|machine| {
        let function = start(machine, code);
        let headers = [
            (
                "Lambda-Runtime-Client-Context",
                r#"{"custom":{"a":1},"env":{"b":"2"},"client":{"app_title":"Grüße"}}"#,
            ),
            (
                "Lambda-Runtime-Cognito-Identity",
                r#"{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}"#,
            ),
            ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
        ];
        let mut expected = json!({
            "id": REQUEST_ID, "name": "conformance", "version": "7", "arn": ARN, "memory": "512",
            "group": "/aws/lambda/conformance", "stream": "2026/11/20/[7]5ca1ab1e", "custom": {"a": 1}, "title": "Grüße",
            "env": {"b": "2"}, "cognito": "who", "pool": "pool", "tenant": "blue", "repr": "LambdaContext([", "left": true,
        });
        assert_eq!(ok(function.invoke_with(b"{}", &headers)), expected);
        for absent in ["custom", "title", "env", "cognito", "pool", "tenant"] {
            expected[absent] = Value::Null;
        }
        assert_eq!(ok(function.invoke("{}")), expected);
    });
}

#[test]
fn a_client_context_that_is_not_json_is_the_functions_error() {
    each(|machine| {
        let function = start(machine, "def handler(event, context):\n    return 1\n");
        let failure = failure(&function.invoke_with(b"{}", &[("Lambda-Runtime-Client-Context", "{nope")]));
        assert_eq!(failure["errorType"], "Runtime.LambdaContextUnmarshalError");
        assert!(
            failure["errorMessage"].as_str().unwrap().starts_with("Unable to parse Client Context JSON: ")
        );
    });
}

#[test]
fn the_trace_id_is_that_of_the_invocation() {
    each(|machine| {
        let function = start(
            machine,
            "import os\ndef handler(event, context):\n    return os.environ.get('_X_AMZN_TRACE_ID')\n",
        );
        let traced = function
            .invoke_with(b"{}", &[("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")]);
        assert_eq!(ok(traced), json!("Root=1-5759e988-bd862e3fe1be46a994272793"));
        assert_eq!(ok(function.invoke("{}")), json!(null));
    });
}

#[test]
fn the_process_is_set_up_as_on_lambda() {
    let code = "import os, sys, time\n\
                def handler(event, context):\n\
                \x20   return {'cwd': os.getcwd(), 'greeting': os.environ['GREETING'], 'handler': os.environ['_HANDLER'], 'zone': time.tzname[0],\n\
                \x20           'stem': 'HEARTH_STEM' in os.environ, 'first': sys.path[0], 'site': [p for p in sys.path if 'packages' in p and '/opt/' not in p],\n\
                \x20           'exit': callable(exit), 'out': sys.stdout.encoding, 'pythonpath': os.environ['PYTHONPATH'] == os.environ['LAMBDA_RUNTIME_DIR']}\n";
    each(|machine| {
        let function = machine.start_with(&[(FILE, code)], HANDLER, &[("TZ", "Europe/Berlin")]);
        let task = function.task.display().to_string();
        let expected = json!({"cwd": task, "greeting": "grüß dich", "handler": HANDLER, "zone": "CET", "stem": false, "first": task,
            "site": [], "exit": true, "out": "utf-8", "pythonpath": true});
        assert_eq!(ok(function.invoke("{}")), expected);
    });
}

#[test]
fn the_function_comes_before_its_layers_and_they_before_the_runtime() {
    each(|machine| {
        let code = "import sys\ndef handler(event, context):\n    return sys.path\n";
        let path: Vec<String> = serde_json::from_value(ok(start(machine, code).invoke("{}"))).unwrap();
        let version = machine.serving.runtime().id();
        let position = |end: &str| {
            path.iter().position(|entry| entry.ends_with(end)).unwrap_or_else(|| panic!("{end} in {path:?}"))
        };
        let order = [
            position("/task"),
            position(&format!("/opt/python/lib/{version}/site-packages")),
            position("/opt/python"),
            position("/python/python"),
            position(&format!("/lib/{version}")),
        ];
        assert!(order.is_sorted(), "{path:?}");
    });
}

#[test]
fn printed_lines_are_there_at_once() {
    each(|machine| {
        let code = "import sys, time\ndef handler(event, context):\n    print('grüß', 'Gott')\n    print('oops', file=sys.stderr)\n    time.sleep(300)\n";
        let function = start(machine, code);
        function.hand_out(b"{}", &[]);
        function.output.with("grüß Gott\n");
        function.output.with("oops\n");
    });
}

#[test]
fn what_is_printed_without_a_newline_is_there_when_the_invocation_ends() {
    each(|machine| {
        let function = start(machine, "def handler(event, context):\n    print('half a line', end='')\n");
        function.invoke("{}");
        function.output.with("half a line");
    });
}

#[test]
fn the_root_logger_writes_aws_lines() {
    each(|machine| {
        let code = "import logging\nlogging.warning('at start')\ndef handler(event, context):\n    logging.getLogger('app').error('bad %s', 'thing')\n    logging.info('hidden')\n";
        let function = start(machine, code);
        function.invoke("{}");
        let log = function.output.with("bad thing\n");
        let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!((lines[0][0], lines[0][2], lines[0][3]), ("[WARNING]", "", "at start"), "{log}");
        assert_eq!((lines[1][0], lines[1][2], lines[1][3]), ("[ERROR]", REQUEST_ID, "bad thing"), "{log}");
        check_stamp(lines[1][1]);
        assert_eq!(lines.len(), 2, "{log}");
    });
}

fn check_stamp(stamp: &str) {
    let pattern = "2026-11-20T19:24:26.123Z";
    let same = stamp.len() == pattern.len()
        && stamp
            .chars()
            .zip(pattern.chars())
            .all(|(a, b)| if b.is_ascii_digit() { a.is_ascii_digit() } else { a == b });
    assert!(same, "{stamp}");
}

const JSON_LOGS: &[(&str, &str)] = &[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")];

#[test]
fn json_logs_are_objects_with_the_level_applied() {
    let code = "import logging\nlog = logging.getLogger('app')\n\
                def handler(event, context):\n\
                \x20   log.debug('hidden')\n\
                \x20   log.info('order %d', 7, extra={'order': {'id': 7}})\n\
                \x20   try:\n        1/0\n    except Exception:\n        log.exception('grüß')\n    raise ValueError('bad')\n";
    each(|machine| {
        let function = machine.start_with(&[(FILE, code)], HANDLER, JSON_LOGS);
        function.invoke("{}");
        let log = function.output.with("\"bad\"");
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3, "{log}");
        assert_eq!(lines[0]["message"], "order 7");
        assert_eq!((&lines[0]["level"], &lines[0]["logger"]), (&json!("INFO"), &json!("app")));
        assert_eq!((&lines[0]["requestId"], &lines[0]["order"]["id"]), (&json!(REQUEST_ID), &json!(7)));
        assert!(lines[0].get("taskName").is_none() && lines[0].get("tenantId").is_none(), "{log}");
        check_stamp(lines[0]["timestamp"].as_str().unwrap());
        assert_eq!(
            (&lines[1]["errorType"], &lines[1]["message"]),
            (&json!("ZeroDivisionError"), &json!("grüß"))
        );
        assert!(lines[1]["stackTrace"][0].as_str().unwrap().contains("line 7, in handler"), "{log}");
        assert!(lines[1]["location"].as_str().unwrap().ends_with(":handler:9"), "{log}");
        assert_eq!(
            (&lines[2]["level"], &lines[2]["errorType"], &lines[2]["errorMessage"]),
            (&json!("ERROR"), &json!("ValueError"), &json!("bad"))
        );
    });
}

#[test]
fn messages_are_framed_on_the_descriptor_that_is_given() {
    each(|machine| {
        let code = "import logging, os\ndef handler(event, context):\n    logging.warning('two\\nlines')\n    if event: raise ValueError('bad')\n    return os.environ.get('_LAMBDA_TELEMETRY_LOG_FD')\n";
        let function = machine.start_with(&[(FILE, code)], HANDLER, &[("_LAMBDA_TELEMETRY_LOG_FD", "4")]);
        assert_eq!(ok(function.invoke("0")), json!(null));
        function.invoke("1");
        let frames = function.frames();
        assert_eq!((frames[0].0, frames.len()), (0xa55a_0003, 3));
        assert!(
            frames[0].2.starts_with("[WARNING]\t") && frames[0].2.ends_with("two\nlines\n"),
            "{frames:?}"
        );
        assert_eq!(frames[2].0, 0xa55a_0017);
        assert!(
            frames[2].2.starts_with("[ERROR] ValueError: bad\nTraceback (most recent call last):\n"),
            "{frames:?}"
        );
        assert!(frames[0].1 > 1_700_000_000_000_000, "microseconds: {frames:?}");
    });
}

#[test]
fn leaving_the_process_is_not_caught() {
    each(|machine| {
        for (code, expected) in
            [("import sys; sys.exit(3)", 3), ("exit(4)", 4), ("import os; os._exit(5)", 5)]
        {
            let mut function = start(machine, &format!("def handler(event, context):\n    {code}\n"));
            function.hand_out(b"{}", &[]);
            assert_eq!(function.exit_code(), expected, "{code}");
            assert!(function.api.report_so_far().is_none());
        }
    });
}

#[test]
fn coroutines_are_not_awaited_as_on_lambda() {
    each(|machine| {
        let failure =
            failure(&start(machine, "async def handler(event, context):\n    return 1\n").invoke("{}"));
        assert_eq!(
            failure["errorMessage"],
            "Unable to marshal response: Object of type coroutine is not JSON serializable"
        );
    });
}

#[test]
fn the_functions_own_modules_are_never_taken_for_the_clients() {
    each(|machine| {
        let files = [
            (
                FILE,
                "import client, bootstrap\ndef handler(event, context):\n    return [client.A, bootstrap.A]\n",
            ),
            ("client.py", "A = 1"),
            ("bootstrap.py", "A = 2"),
        ];
        assert_eq!(ok(machine.start(&files, HANDLER).invoke("{}")), json!([1, 2]));
    });
}

#[test]
fn a_layers_pth_files_are_read() {
    each(|machine| {
        let files = [
            (FILE, "import hidden\ndef handler(event, context):\n    return hidden.A\n"),
            ("extra.pth", "vendor\n"),
            ("vendor/hidden.py", "A = 7"),
        ];
        assert_eq!(ok(machine.start(&files, HANDLER).invoke("{}")), json!(7));
    });
}

#[test]
fn frames_on_standard_output_come_after_what_was_printed_before() {
    each(|machine| {
        let code = "import logging\ndef handler(event, context):\n    print('first', end='')\n    logging.warning('second')\n    print('third')\n";
        let function = machine.start_with(&[(FILE, code)], HANDLER, &[("_LAMBDA_TELEMETRY_LOG_FD", "1")]);
        function.invoke("{}");
        let log = function.output.with("third");
        let at = |word: &str| log.find(word).unwrap();
        assert!(at("first") < at("[WARNING]") && at("second") < at("third"), "{log:?}");
    });
}
