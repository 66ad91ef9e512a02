//! Node.js.

use domain::{Family, Runtime};
use runtimes::Fit;
use serde_json::{Value, json};

use crate::api::Report;
use crate::machine::{ARN, Function, Machine, REQUEST_ID, as_runtime, catalogue, everywhere};

const HANDLER: &str = "index.handler";

fn each(test: impl Fn(&Machine)) {
    everywhere(Family::Node, test);
}

/// With callbacks: the runtimes before 24 that this machine has, and one of them whatever Node serves it.
fn classic(test: impl Fn(&Machine)) {
    for runtime in [Runtime::Node18, Runtime::Node20, Runtime::Node22] {
        let is_exact = catalogue().serve(runtime).is_ok_and(|serving| serving.fit() == Fit::Exact);
        if is_exact || runtime == Runtime::Node20 {
            as_runtime(runtime, &test);
        }
    }
}

/// Without: a runtime since 24, whatever Node serves it.
fn modern(test: impl Fn(&Machine)) {
    as_runtime(Runtime::Node24, test);
}

fn both(test: impl Fn(&Machine)) {
    each(&test);
    modern(test);
}

fn esm(machine: &Machine, code: &str) -> Function {
    machine.start(&[("index.mjs", code)], HANDLER)
}

fn cjs(machine: &Machine, code: &str) -> Function {
    machine.start(&[("index.js", code)], HANDLER)
}

fn ok(report: Report) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/response"), "{:?}", report.json());
    report.json()
}

fn failure(report: &Report) -> Value {
    assert_eq!(report.path, format!("invocation/{REQUEST_ID}/error"), "{:?}", report.json());
    let failure = report.json();
    assert_eq!(report.headers["lambda-runtime-function-error-type"], failure["errorType"].as_str().unwrap());
    failure
}

#[test]
fn what_the_handler_returns_is_the_response() {
    both(|machine| {
        let function = esm(machine, "export const handler = async (event) => ({ got: event });");
        assert_eq!(ok(function.invoke(r#"{"name": "grüß 😀"}"#)), json!({"got": {"name": "grüß 😀"}}));
        assert_eq!(ok(function.invoke("[1, 2.5, null, true]")), json!({"got": [1, 2.5, null, true]}));
        assert_eq!(function.api.connections(), 1, "the connection is kept");
    });
}

#[test]
fn nothing_returned_is_null_and_code_outside_the_handler_runs_once() {
    both(|machine| {
        let function = esm(
            machine,
            "let calls = 0; export const handler = async (event) => { calls++; if (event) return calls; };",
        );
        assert_eq!(function.invoke("null").body, b"null");
        assert_eq!(ok(function.invoke("1")), json!(2));
    });
}

#[test]
fn every_kind_of_module_is_loaded() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("index.js", "exports.handler = async () => 'cjs';")], HANDLER),
        (&[("index.cjs", "exports.handler = async () => 'cjs';")], HANDLER),
        (&[("index.mjs", "export const handler = async () => 'esm';")], HANDLER),
        (
            &[
                ("package.json", r#"{"type":"module"}"#),
                ("index.js", "export const handler = async () => 'esm';"),
            ],
            HANDLER,
        ),
        (&[("src/app/main.js", "exports.run = async () => 'folder';")], "src/app/main.run"),
        (&[("index.js", "exports.a = { b: { c: async () => 'nested' } };")], "index.a.b.c"),
        (&[("node_modules/packed/index.js", "exports.handler = async () => 'package';")], "packed.handler"),
        (
            &[
                ("index.mjs", "import { a } from 'dep'; export const handler = async () => a;"),
                ("node_modules/dep/index.js", "exports.a = 'dep';"),
            ],
            HANDLER,
        ),
    ];
    both(|machine| {
        for (files, handler) in cases {
            let answer = ok(machine.start(files, handler).invoke("{}"));
            let (file, text) = files.last().unwrap();
            assert!(answer.is_string(), "{file} {text}: {answer}");
        }
    });
}

#[test]
fn a_file_without_extension_is_commonjs() {
    classic(|machine| {
        let function = machine.start(&[("index", "exports.handler = async () => 'bare';")], HANDLER);
        assert_eq!(ok(function.invoke("{}")), json!("bare"));
    });
}

#[test]
fn layers_are_found_by_require_and_by_import() {
    both(|machine| {
        for (file, code) in [
            ("index.cjs", "const { a } = require('layered'); exports.handler = async () => a;"),
            ("index.mjs", "import { a } from 'layered'; export const handler = async () => a;"),
        ] {
            let layer = ("../opt/nodejs/node_modules/layered/index.js", "exports.a = 'from a layer';");
            let function = machine.start(&[layer, (file, code)], HANDLER);
            assert_eq!(ok(function.invoke("{}")), json!("from a layer"), "{file}");
        }
    });
}

#[test]
fn an_error_is_reported_with_its_trace_and_logged() {
    both(|machine| {
        let code = "class Bad extends TypeError { constructor(m) { super(m); this.name = 'Bad'; this.code = 42; } }\n\
                    export const handler = async () => { throw new Bad('grüß\\nGott'); };";
        let function = esm(machine, code);
        let failure = failure(&function.invoke("{}"));
        assert_eq!((&failure["errorType"], &failure["errorMessage"]), (&json!("Bad"), &json!("grüß\nGott")));
        let trace = failure["trace"].as_array().unwrap();
        assert_eq!((&trace[0], &trace[1]), (&json!("Bad: grüß"), &json!("Gott")));
        let place = function.task.join("index.mjs");
        assert!(trace[2].as_str().unwrap().contains(&format!("{}:2:", place.display())), "{trace:?}");
        let log = function.output.with("index.mjs");
        let fields: Vec<&str> = log.trim_end().split('\t').collect();
        assert_eq!((fields[1], fields[2], fields[3]), (REQUEST_ID, "ERROR", "Invoke Error "), "{log}");
        let logged: Value = serde_json::from_str(fields[4]).unwrap();
        assert_eq!(
            (&logged["errorType"], &logged["errorMessage"], &logged["code"]),
            (&json!("Bad"), &json!("grüß\nGott"), &json!(42))
        );
        assert_eq!(logged["stack"][0], "Bad: grüß");
        assert_eq!(ok_again(&function), "Bad");
    });
}

fn ok_again(function: &Function) -> String {
    function.invoke("{}").json()["errorType"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_thrown_need_not_be_an_error() {
    both(|machine| {
        let failure =
            failure(&esm(machine, "export const handler = async () => { throw 'just text'; };").invoke("{}"));
        assert_eq!(failure, json!({"errorType": "string", "errorMessage": "just text", "trace": []}));
    });
}

#[test]
fn a_result_that_is_not_json_is_an_error() {
    classic(|machine| check_unserialisable(machine, "Error"));
    modern(|machine| check_unserialisable(machine, "Runtime.JSONStringifyError"));
}

fn check_unserialisable(machine: &Machine, kind: &str) {
    for value in ["10n", "circular"] {
        let code = format!(
            "const circular = {{}}; circular.self = circular; export const handler = async () => {value};"
        );
        let failure = failure(&esm(machine, &code).invoke("{}"));
        assert_eq!(
            (&failure["errorType"], &failure["errorMessage"]),
            (&json!(kind), &json!("Unable to stringify response body"))
        );
    }
}

#[test]
fn six_megabytes_go_both_ways() {
    both(|machine| {
        let function = esm(machine, "export const handler = async (event) => event;");
        let event = format!("\"{}\"", "ü".repeat(3 * 1024 * 1024 - 1));
        assert!(function.invoke(&event).body == event.as_bytes());
        assert_eq!(ok(function.invoke("1")), json!(1));
    });
}

#[test]
fn a_start_that_fails_says_why_and_exits() {
    let cases = [
        (
            "index.handler",
            "exports.other = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        (
            "index.handler",
            "exports.handler = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        ),
        ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "../index.handler",
            "",
            "Runtime.MalformedHandlerName",
            "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
        ),
        ("index.handler", "throw new RangeError('config');", "RangeError", "config"),
        (
            "absent.handler",
            "",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'absent'\nRequire stack:\n- /index.mjs",
        ),
        (
            "index.handler",
            "require('nowhere');",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nowhere'\nRequire stack:\n- /index.js\n- /index.mjs",
        ),
        ("index.handler", "const = 1;", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '='"),
    ];
    classic(|machine| {
        for (handler, code, kind, message) in cases {
            let (report, code, log) = machine.start(&[("index.js", code)], handler).failed_start();
            let failure = report.json();
            let folders =
                failure["errorMessage"].as_str().unwrap().split('\n').map(without_folder).collect::<Vec<_>>();
            assert_eq!(
                (failure["errorType"].as_str().unwrap(), folders.join("\n").as_str()),
                (kind, message)
            );
            assert_eq!(report.headers["lambda-runtime-function-error-type"], kind);
            assert!(
                log.contains(&format!("\tundefined\tERROR\tUncaught Exception \t{{\"errorType\":\"{kind}\"")),
                "{log}"
            );
            assert_eq!(code, 129);
        }
    });
}

/// `- /var/runtime/index.mjs` as `- /index.mjs`: outside a sandbox the folder is another.
fn without_folder(line: &str) -> String {
    match line.strip_prefix("- ").and_then(|path| path.rsplit_once('/')) {
        Some((_, file)) => format!("- /{file}"),
        None => line.to_owned(),
    }
}

#[test]
fn a_start_that_fails_since_24_is_an_init_error() {
    modern(|machine| {
        let (report, code, log) =
            machine.start(&[("index.mjs", "import 'nowhere';")], HANDLER).failed_start();
        assert!(
            report.json()["errorMessage"].as_str().unwrap().contains("Cannot find package 'nowhere'"),
            "{:?}",
            report.json()
        );
        assert!(log.contains("\tERROR\tInit Error \t"), "{log}");
        assert_eq!(code, 1);
    });
}

#[test]
fn callback_handlers_are_refused_since_24() {
    modern(|machine| {
        let (report, ..) =
            cjs(machine, "exports.handler = (event, context, callback) => callback(null, 1);").failed_start();
        let failure = report.json();
        assert_eq!(failure["errorType"], "Runtime.CallbackHandlerDeprecated");
        assert!(
            failure["errorMessage"]
                .as_str()
                .unwrap()
                .starts_with("ERROR: AWS Lambda has removed support for callback-based")
        );
    });
}

#[test]
fn every_way_to_answer_before_24_answers_once() {
    let cases = [
        ("callback(null, 'called'); callback(null, 'twice');", json!("called")),
        ("setTimeout(() => callback(null, 'later'), 10);", json!("later")),
        ("context.succeed('succeeded');", json!("succeeded")),
        ("context.done(null, 'done'); context.fail('no');", json!("done")),
        ("setTimeout(() => {}, 10);", json!(null)),
        ("return 'ignored';", json!(null)),
        ("return new Promise(() => {});", json!(null)),
    ];
    classic(|machine| {
        for (body, expected) in &cases {
            let function =
                cjs(machine, &format!("exports.handler = (event, context, callback) => {{ {body} }};"));
            assert_eq!(&ok(function.invoke("{}")), expected, "{body}");
            assert_eq!(&ok(function.invoke("{}")), expected, "{body}, again");
        }
    });
}

#[test]
fn every_way_to_fail_before_24_fails() {
    let cases = [
        ("callback(new TypeError('called'));", "TypeError", "called"),
        ("callback('text');", "string", "text"),
        ("context.fail(new Error('failed'));", "Error", "failed"),
        ("context.fail();", "string", "handled"),
        ("throw new Error('thrown');", "Error", "thrown"),
        ("return Promise.reject(new Error('rejected'));", "Error", "rejected"),
    ];
    classic(|machine| {
        for (body, kind, message) in cases {
            let function =
                cjs(machine, &format!("exports.handler = (event, context, callback) => {{ {body} }};"));
            let failure = failure(&function.invoke("{}"));
            assert_eq!(
                (&failure["errorType"], &failure["errorMessage"]),
                (&json!(kind), &json!(message)),
                "{body}"
            );
        }
    });
}

#[test]
fn a_callback_waits_for_the_event_loop_unless_told_not_to() {
    let code = "let late = false;\n\
                exports.handler = (event, context, callback) => {\n\
                \x20 const before = late; late = false;\n\
                \x20 context.callbackWaitsForEmptyEventLoop = event.waits;\n\
                \x20 setTimeout(() => { late = true; }, 50);\n\
                \x20 callback(null, before);\n};";
    classic(|machine| {
        let function = cjs(machine, code);
        assert_eq!(ok(function.invoke(r#"{"waits": true}"#)), json!(false));
        assert_eq!(
            ok(function.invoke(r#"{"waits": true}"#)),
            json!(true),
            "the timer ran before the first answer"
        );
        assert_eq!(ok(function.invoke(r#"{"waits": false}"#)), json!(true));
        assert_eq!(
            ok(function.invoke(r#"{"waits": false}"#)),
            json!(false),
            "the answer did not wait for the timer"
        );
    });
}

#[test]
fn a_plain_functions_result_counts_since_24() {
    modern(|machine| {
        let function = esm(machine, "export const handler = (event) => event + 1;");
        assert_eq!(ok(function.invoke("1")), json!(2));
    });
}

#[test]
fn the_context_has_everything() {
    let code = "export const handler = async (event, c) => ({ id: c.awsRequestId, name: c.functionName, version: c.functionVersion,\n\
                arn: c.invokedFunctionArn, memory: c.memoryLimitInMB, group: c.logGroupName, stream: c.logStreamName, client: c.clientContext,\n\
                identity: c.identity, tenant: c.tenantId, waits: c.callbackWaitsForEmptyEventLoop, succeed: typeof c.succeed,\n\
                left: 0 < c.getRemainingTimeInMillis() && c.getRemainingTimeInMillis() <= 30000 });";
    let expected = json!({
        "id": REQUEST_ID, "name": "conformance", "version": "7", "arn": ARN, "memory": "512", "group": "/aws/lambda/conformance",
        "stream": "2026/11/20/[7]5ca1ab1e", "client": {"custom": {"a": "Grüße"}}, "identity": {"cognitoIdentityId": "who"}, "tenant": "blue",
        "left": true,
    });
    let check = |machine: &Machine, own: Value| {
        let headers = [
            ("Lambda-Runtime-Client-Context", r#"{"custom":{"a":"Grüße"}}"#),
            ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"who"}"#),
            ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
        ];
        let mut expected = expected.clone();
        expected.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        assert_eq!(ok(esm(machine, code).invoke_with(b"{}", &headers)), expected);
    };
    classic(|machine| check(machine, json!({"waits": true, "succeed": "function"})));
    modern(|machine| check(machine, json!({"succeed": "undefined"})));
}

#[test]
fn the_process_is_set_up_as_on_lambda() {
    let code = "export const handler = async () => ({ cwd: process.cwd(), greeting: process.env.GREETING, handler: process.env._HANDLER,\n\
                stem: 'HEARTH_STEM' in process.env, offset: new Date(2026, 0, 1).getTimezoneOffset(), trace: process.env._X_AMZN_TRACE_ID,\n\
                gc: typeof gc, stream: typeof awslambda.streamifyResponse });";
    both(|machine| {
        let function = machine.start_with(&[("index.mjs", code)], HANDLER, &[("TZ", "Europe/Berlin")]);
        let task = function.task.display().to_string();
        let expected = json!({"cwd": task, "greeting": "grüß dich", "handler": HANDLER, "stem": false, "offset": -60,
            "trace": "Root=1-5759e988", "gc": "function", "stream": "function"});
        assert_eq!(
            ok(function.invoke_with(b"{}", &[("Lambda-Runtime-Trace-Id", "Root=1-5759e988")])),
            expected
        );
        assert!(ok(function.invoke("{}")).get("trace").is_none());
    });
}

#[test]
fn console_writes_aws_lines() {
    both(|machine| {
        let code = "console.log('at start');\nexport const handler = async () => { console.log('two\\nlines', { a: 1 }); console.error('bad %s', 'thing'); console.debug('fine'); };";
        let function = esm(machine, code);
        function.invoke("{}");
        let log = function.output.with("fine\n");
        let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(lines[0][1..], ["undefined", "INFO", "at start"]);
        assert_eq!(lines[1][1..], [REQUEST_ID, "INFO", "two\rlines { a: 1 }"]);
        assert_eq!(lines[2][1..], [REQUEST_ID, "ERROR", "bad thing"]);
        assert_eq!(lines[3][1..], [REQUEST_ID, "DEBUG", "fine"]);
        assert!(lines[0][0].ends_with('Z') && lines[0][0].len() == 24, "{log}");
    });
}

#[test]
fn json_logs_are_objects_with_the_level_applied() {
    both(|machine| {
        let code = "export const handler = async () => { console.debug('hidden'); console.info({ order: 7 }); console.warn('bad %s', 'thing', new RangeError('r')); throw new Error('grüß'); };";
        let variables = [("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")];
        let function = machine.start_with(&[("index.mjs", code)], HANDLER, &variables);
        function.invoke("{}");
        let log = function.output.with("grüß");
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["level"], &lines[0]["message"], &lines[0]["requestId"]),
            (&json!("INFO"), &json!({"order": 7}), &json!(REQUEST_ID))
        );
        assert!(lines[1]["message"].as_str().unwrap().starts_with("bad thing RangeError: r"), "{log}");
        assert_eq!(
            (&lines[1]["level"], &lines[1]["errorType"], &lines[1]["errorMessage"]),
            (&json!("WARN"), &json!("RangeError"), &json!("r"))
        );
        assert_eq!(
            (&lines[2]["level"], &lines[2]["message"]["errorMessage"]),
            (&json!("ERROR"), &json!("grüß"))
        );
        assert!(lines[2]["message"]["stackTrace"].is_array(), "{log}");
        assert_eq!(lines.len(), 3);
    });
}

#[test]
fn messages_are_framed_on_the_descriptor_that_is_given() {
    both(|machine| {
        let code = "export const handler = async () => { console.log('two\\nlines'); console.error('grüß'); return process.env._LAMBDA_TELEMETRY_LOG_FD; };";
        let function =
            machine.start_with(&[("index.mjs", code)], HANDLER, &[("_LAMBDA_TELEMETRY_LOG_FD", "4")]);
        assert_eq!(ok(function.invoke("{}")), json!(null));
        let frames = function.frames();
        assert_eq!((frames[0].0, frames[1].0, frames.len()), (0xa55a_000f, 0xa55a_0017, 2));
        assert!(frames[0].2.ends_with("\tINFO\ttwo\nlines\n"), "{frames:?}");
        assert!(frames[1].2.ends_with("\tERROR\tgrüß\n"), "{frames:?}");
        assert!(frames[0].1 > 1_700_000_000_000_000, "microseconds: {frames:?}");
    });
}

#[test]
fn an_unhandled_rejection_before_24_fails_the_invocation_and_the_process() {
    classic(|machine| {
        let mut function = cjs(
            machine,
            "exports.handler = () => { Promise.reject(new Error('lost')); setTimeout(() => {}, 1000); };",
        );
        let failure = failure(&function.invoke("{}"));
        assert_eq!(
            (&failure["errorType"], &failure["errorMessage"]),
            (&json!("Runtime.UnhandledPromiseRejection"), &json!("Error: lost"))
        );
        assert_eq!(failure["trace"][0], "Runtime.UnhandledPromiseRejection: Error: lost");
        assert_eq!(function.exit_code(), 128);
        let log = function.output.text();
        let start = format!(
            "\t{REQUEST_ID}\tERROR\tUnhandled Promise Rejection \t{{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{{\"errorType\":\"Error\",\"errorMessage\":\"lost\""
        );
        assert!(log.contains(&start), "{log}");
    });
}

#[test]
fn an_uncaught_exception_before_24_fails_the_invocation_and_the_process() {
    classic(|machine| {
        let mut function = cjs(
            machine,
            "exports.handler = async () => { setTimeout(() => { throw new RangeError('loose'); }, 1); await new Promise((r) => setTimeout(r, 60000)); };",
        );
        let failure = failure(&function.invoke("{}"));
        assert_eq!(
            (&failure["errorType"], &failure["errorMessage"]),
            (&json!("RangeError"), &json!("loose"))
        );
        assert_eq!(function.exit_code(), 129);
        assert!(
            function.output.text().contains("\tERROR\tUncaught Exception \t{\"errorType\":\"RangeError\"")
        );
    });
}

#[test]
fn a_rejection_after_the_answer_does_not_change_it() {
    classic(|machine| {
        let function = cjs(
            machine,
            "exports.handler = async () => { Promise.reject(new Error('late')); return 'answered'; };",
        );
        assert_eq!(ok(function.invoke("{}")), json!("answered"));
        function.output.with("Unhandled Promise Rejection");
    });
}

#[test]
fn a_promise_that_never_settles_since_24_ends_the_process() {
    modern(|machine| {
        let mut function = esm(machine, "export const handler = () => new Promise(() => {});");
        let failure = failure(&function.invoke("{}"));
        assert_eq!(failure["errorType"], "Runtime.NodeJsExit");
        assert_eq!(function.exit_code(), 13);
    });
}

#[test]
fn a_module_that_never_settles_fails_the_start() {
    both(|machine| {
        let (report, code, _) =
            esm(machine, "await new Promise(() => {}); export const handler = async () => 1;").failed_start();
        assert_eq!(report.json()["errorType"], "Runtime.NodeJsExit");
        assert_eq!(code, 13);
    });
}

#[test]
fn leaving_the_process_is_not_caught() {
    both(|machine| {
        let mut function = esm(machine, "export const handler = async () => process.exit(5);");
        function.hand_out(b"{}", &[]);
        assert_eq!(function.exit_code(), 5);
        assert!(function.api.report_so_far().is_none());
    });
}

#[test]
fn a_streamed_response_is_chunked() {
    both(|machine| {
        let code = "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n\
                    \x20 stream.setContentType('text/plain'); stream.write('grüß '); await new Promise((r) => setTimeout(r, 5)); stream.write(Buffer.from('Gott')); stream.end(); });";
        let function = esm(machine, code);
        for _ in 0..2 {
            let report = function.invoke("{}");
            assert_eq!(String::from_utf8(report.body).unwrap(), "grüß Gott");
            assert_eq!(report.path, format!("invocation/{REQUEST_ID}/response"));
            assert_eq!(report.headers["lambda-runtime-function-response-mode"], "streaming");
            assert_eq!(report.headers["content-type"], "text/plain");
            assert!(report.trailers.is_empty(), "{:?}", report.trailers);
        }
    });
}

#[test]
fn a_streamed_http_response_starts_with_its_prelude() {
    both(|machine| {
        let code = "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n\
                    \x20 stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); stream.write('body'); stream.end(); });";
        let report = esm(machine, code).invoke("{}");
        assert_eq!(report.body, b"{\"statusCode\":201}\0\0\0\0\0\0\0\0body");
        assert_eq!(report.headers["content-type"], "application/vnd.awslambda.http-integration-response");
    });
}

#[test]
fn an_error_in_a_streamed_response_is_in_its_trailers() {
    both(|machine| {
        for start in ["stream.write('some');", ""] {
            let code = format!(
                "export const handler = awslambda.streamifyResponse(async (event, stream) => {{ {start} throw new RangeError('half-way'); }});"
            );
            let report = esm(machine, &code).invoke("{}");
            assert_eq!(report.trailers["lambda-runtime-function-error-type"], "RangeError");
            let body = &report.trailers["lambda-runtime-function-error-body"];
            assert!(
                body.starts_with("eyJlcnJvclR5cGUiOiJSYW5nZUVycm9yIiwiZXJyb3JNZXNzYWdlIjoiaGFsZi13YXkiL"),
                "{body}"
            );
        }
    });
}

#[test]
fn a_stream_that_is_never_written_to_nor_ended_is_an_error() {
    both(|machine| {
        let report =
            esm(machine, "export const handler = awslambda.streamifyResponse(async () => {});").invoke("{}");
        assert_eq!(report.trailers["lambda-runtime-function-error-type"], "Error");
    });
}
