//! Lines and records as Lambda spells them.

use super::*;

const ID: Uuid = Uuid::from_u128(0x8476_a536_e9f4_11e8_9739_2dfe_598c_3fcd);
const AT: Timestamp = Timestamp(1_700_000_000_123);

fn platform(format: LogFormat, level: Option<&str>) -> Platform {
    let mut version = crate::isolation::fake::version("f");
    version.logging.format = format;
    version.logging.system_level = level.map(str::to_owned);
    Platform::new(&version, Initialization::OnDemand)
}

fn report(status: &Status, init_us: Option<u64>) -> Report<'_> {
    Report {
        request_id: ID,
        duration: Duration::from_micros(2_899),
        init: init_us.map(Duration::from_micros),
        restore: None,
        memory_bytes_max: 35 * 1024 * 1024 + 1,
        produced_bytes: 4,
        status,
        trace: None,
        spans: &[],
        tenant: None,
    }
}

fn lines(platform: &Platform, event: Event) -> Vec<String> {
    let mut lines = Vec::new();
    platform.lines(AT, event, |line| lines.push(line));
    lines
}

#[track_caller]
fn check(platform: &Platform, event: Event, expected: &[&str]) {
    assert_eq!(lines(platform, event), expected);
}

fn init(status: &Status) -> InitReport<'_> {
    InitReport { duration: Duration::from_micros(1_236_040), phase: Phase::Init, status }
}

const END: &str = "END RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd";

#[test]
fn text_lines_are_spelled_as_on_lambda() {
    let text = platform(LogFormat::Text, None);
    let start = InitStart {
        phase: Phase::Init,
        runtime: "python:3.12.7",
        runtime_arn: "arn:aws:lambda:us-east-1::runtime:0a",
        instance: "i",
    };
    check(
        &text,
        Event::InitStart(&start),
        &[
            "INIT_START Runtime Version: python:3.12.7\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:0a",
        ],
    );
    check(
        &text,
        Event::Start { request_id: ID, tenant: None, trace: None },
        &["START RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Version: $LATEST"],
    );
    let check_report = |status: &Status, init, expected: &str| {
        check(&text, Event::Report(&report(status, init)), &[END, expected]);
    };
    check_report(
        &Status::Success,
        None,
        "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t",
    );
    check_report(
        &Status::Success,
        Some(110_100),
        "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 113 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t",
    );
    check_report(
        &Status::Timeout,
        None,
        "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout",
    );
    check_report(
        &Status::Error("Runtime.ExitError".into()),
        None,
        "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError",
    );
    let traced = Report {
        trace: Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"),
        ..report(&Status::Success, None)
    };
    let printed = lines(&text, Event::Report(&traced));
    assert!(
        printed[1].ends_with(
            "\t\nXRAY TraceId: 1-5bef4de7-ad49b0e87f6ef6c87fc2e700\tSegmentId: 9a9197af755a6419\tSampled: true\t"
        ),
        "{printed:?}"
    );
}

#[test]
fn lines_about_extensions_are_spelled_as_on_lambda() {
    let text = platform(LogFormat::Text, None);
    let extension = |error_type| Event::Extension {
        name: "agent",
        state: "Ready",
        events: &["INVOKE", "SHUTDOWN"],
        error_type,
    };
    check(&text, extension(None), &["EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]"]);
    check(
        &text,
        extension(Some("PermissionDenied")),
        &["EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\tError Type: PermissionDenied"],
    );
    let kinds = [Kind::Platform, Kind::Function];
    check(
        &text,
        Event::Subscribed { name: "agent", api: Api::Telemetry, kinds: &kinds },
        &["TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]"],
    );
    let json = platform(LogFormat::Json, None);
    check(
        &json,
        Event::Subscribed { name: "agent", api: Api::Logs, kinds: &kinds },
        &[
            r#"{"time":"2023-11-14T22:13:20.123Z","type":"platform.logsSubscription","record":{"name":"agent","state":"Subscribed","types":["platform","function"]}}"#,
        ],
    );
}

#[test]
fn a_text_init_report_is_written_only_on_failure() {
    let text = platform(LogFormat::Text, None);
    check(&text, Event::InitReport(&init(&Status::Success)), &[]);
    check(
        &text,
        Event::InitReport(&init(&Status::Timeout)),
        &["INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"],
    );
}

#[test]
fn json_lines_obey_the_system_level() {
    let ok = report(&Status::Success, None);
    let error = Status::Error("Runtime.ExitError".into());
    let failed = report(&error, None);
    let info = platform(LogFormat::Json, None);
    check(
        &info,
        Event::Start { request_id: ID, tenant: None, trace: None },
        &[
            r#"{"time":"2023-11-14T22:13:20.123Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","version":"$LATEST"}}"#,
        ],
    );
    check(&info, Event::RuntimeDone(&ok), &[]);
    assert!(lines(&info, Event::RuntimeDone(&failed))[0].contains(r#""errorType":"Runtime.ExitError""#));
    assert!(lines(&info, Event::InitRuntimeDone(&init(&error)))[0].contains(r#""status":"error""#));
    assert!(
        lines(&info, Event::InitReport(&init(&error)))[0].contains(r#""metrics":{"durationMs":1236.04}"#)
    );
    check(&info, Event::InitReport(&init(&Status::Success)), &[]);
    let warn = platform(LogFormat::Json, Some("WARN"));
    check(&warn, Event::Report(&ok), &[]);
    assert_eq!(lines(&warn, Event::Report(&failed)).len(), 1);
    let debug = platform(LogFormat::Json, Some("DEBUG"));
    assert!(lines(&debug, Event::RuntimeDone(&ok))[0].contains(r#""producedBytes":4"#));
}

#[test]
fn records_hold_spans_and_the_trace() {
    let header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=1:a:0";
    let spans = [Span { name: "responseLatency", start: AT, duration: Duration::from_micros(2500) }];
    let report = Report { trace: Some(header), spans: &spans, ..report(&Status::Success, None) };
    let (kind, record) = platform(LogFormat::Text, None).record(Event::RuntimeDone(&report));
    assert_eq!(kind, "platform.runtimeDone");
    let expected = json!({
        "requestId": ID,
        "status": "success",
        "metrics": { "durationMs": 2.899, "producedBytes": 4 },
        "spans": [{ "name": "responseLatency", "start": "2023-11-14T22:13:20.123Z", "durationMs": 2.5 }],
        "tracing": { "type": "X-Amzn-Trace-Id", "value": header, "spanId": "9a9197af755a6419" },
    });
    assert_eq!(record, expected);
    let start = Event::Start { request_id: ID, tenant: Some("blue"), trace: None };
    check(
        &platform(LogFormat::Text, None),
        start,
        &["START RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Version: $LATEST\tTenantId: blue"],
    );
    assert_eq!(platform(LogFormat::Json, None).record(start).1["tenantId"], "blue");
}
