//! What the platform says about an environment: START, END, REPORT and the like, as lines of text, as lines of JSON, and
//! as records for those who subscribed to them.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>

use std::time::Duration;

use domain::{FunctionVersion, LogFormat, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Initialization;
use crate::telemetry::{Api, Kind};
use crate::trace;

/// How a function's platform lines look, and which of them are wanted.
pub(crate) struct Platform {
    format: LogFormat,
    level: Level,
    initialization: Initialization,
    function: String,
    version: String,
    function_arn: String,
    memory_mib: u32,
}

/// Something that the platform says.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// Extensions and the runtime start.
    InitStart(&'a InitStart<'a>),
    /// The runtime has done its part of the Init phase.
    InitRuntimeDone(&'a InitReport<'a>),
    /// Everything is up, or is not going to be.
    InitReport(&'a InitReport<'a>),
    /// An environment that was initialised before is wanted.
    RestoreStart(&'a InitStart<'a>),
    /// The runtime has done its part of that.
    RestoreRuntimeDone(&'a InitReport<'a>),
    /// It is there, or is not going to be.
    RestoreReport(&'a InitReport<'a>),
    /// The event goes to the function.
    Start { request_id: Uuid, tenant: Option<&'a str>, trace: Option<&'a str> },
    /// The runtime has done its part of the invocation.
    RuntimeDone(&'a Report<'a>),
    /// What the invocation cost.
    Report(&'a Report<'a>),
    /// How an extension stands at the end of an Init phase.
    Extension { name: &'a str, state: &'a str, events: &'a [&'static str], error_type: Option<&'a str> },
    /// An extension has subscribed.
    Subscribed { name: &'a str, api: Api, kinds: &'a [Kind] },
}

/// What the Init phase starts with.
pub(crate) struct InitStart<'a> {
    pub(crate) phase: Phase,
    pub(crate) runtime: &'a str,
    pub(crate) runtime_arn: &'a str,
    /// The environment's log stream, which names it.
    pub(crate) instance: &'a str,
}

/// `SystemLogLevel`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
}

/// When an environment was initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before any invocation.
    Init,
    /// Inside one, because it had failed before or the environment was reset.
    Invoke,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// As it should.
    Success,
    /// The function answered with an error of its own: no failure of the environment.
    FunctionError(String),
    /// It took too long.
    Timeout,
    /// The environment failed, by this error type.
    Error(String),
}

/// What REPORT says.
pub(crate) struct Report<'a> {
    pub(crate) request_id: Uuid,
    pub(crate) duration: Duration,
    pub(crate) init: Option<Duration>,
    pub(crate) restore: Option<Duration>,
    pub(crate) memory_bytes_max: u64,
    pub(crate) produced_bytes: usize,
    pub(crate) status: &'a Status,
    /// The trace header that the function got.
    pub(crate) trace: Option<&'a str>,
    pub(crate) spans: &'a [Span],
    /// Whose environment it is, where environments are kept apart.
    pub(crate) tenant: Option<&'a str>,
}

/// A part of an invocation's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) start: Timestamp,
    pub(crate) duration: Duration,
}

/// What INIT_REPORT says.
pub(crate) struct InitReport<'a> {
    pub(crate) duration: Duration,
    pub(crate) phase: Phase,
    pub(crate) status: &'a Status,
}

impl Platform {
    pub(crate) fn new(version: &FunctionVersion, initialization: Initialization) -> Self {
        let level = match version.logging.system_level.as_deref() {
            Some("DEBUG") => Level::Debug,
            Some("WARN") => Level::Warn,
            _ => Level::Info,
        };
        Self {
            format: version.logging.format,
            level,
            initialization,
            function: version.name.to_string(),
            version: version.version.to_string(),
            function_arn: version.function_arn(),
            memory_mib: version.memory_mib,
        }
    }

    /// The lines of the log that say it.
    pub(crate) fn lines(&self, at: Timestamp, event: Event<'_>, mut line: impl FnMut(String)) {
        match self.format {
            LogFormat::Text => self.text(event, line),
            LogFormat::Json if self.level_of(event) >= self.level => {
                let (kind, record) = self.record(event);
                // In Lambda's order, for those who read it with their eyes.
                let time = jiff::Timestamp::from_millisecond(at.epoch_ms()).unwrap_or_default();
                line(format!(r#"{{"time":"{time:.3}","type":"{kind}","record":{record}}}"#));
            }
            LogFormat::Json => {}
        }
    }

    fn text(&self, event: Event<'_>, mut line: impl FnMut(String)) {
        match event {
            Event::InitStart(start) => line(format!(
                "INIT_START Runtime Version: {}\tRuntime Version ARN: {}",
                start.runtime, start.runtime_arn
            )),
            // A success is worth a line only where no REPORT will tell of it.
            Event::InitReport(report) if *report.status != Status::Success || self.is_ahead() => {
                let duration = two_decimals(report.duration);
                let mut text =
                    format!("INIT_REPORT Init Duration: {duration} ms\tPhase: {}", report.phase.name());
                report.status.append(&mut text);
                line(text);
            }
            Event::InitReport(_) | Event::InitRuntimeDone(_) | Event::RuntimeDone(_) => {}
            Event::RestoreStart(start) => line(format!(
                "RESTORE_START Runtime Version: {}\tRuntime Version ARN: {}",
                start.runtime, start.runtime_arn
            )),
            Event::RestoreRuntimeDone(_) => {}
            Event::RestoreReport(report) => {
                let mut text =
                    format!("RESTORE_REPORT Restore Duration: {} ms", two_decimals(report.duration));
                report.status.append(&mut text);
                line(text);
            }
            Event::Start { request_id, tenant, .. } => {
                let mut text = format!("START RequestId: {request_id} Version: {}", self.version);
                if let Some(tenant) = tenant {
                    text.extend(["\tTenantId: ", tenant]);
                }
                line(text);
            }
            Event::Report(report) => {
                line(format!("END RequestId: {}", report.request_id));
                line(self.report(report));
            }
            Event::Extension { name, state, events, error_type } => {
                let mut text =
                    format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{}]", events.join(","));
                if let Some(error_type) = error_type {
                    text += &format!("\tError Type: {error_type}");
                }
                line(text);
            }
            Event::Subscribed { name, api, kinds } => {
                let word = if api == Api::Telemetry { "TELEMETRY" } else { "LOGS" };
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
                line(format!("{word}\tName: {name}\tState: Subscribed\tTypes: [{}]", kinds.join(", ")));
            }
        }
    }

    fn report(&self, report: &Report) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
            report.request_id,
            two_decimals(report.duration),
            report.billed_ms(),
            self.memory_mib,
            report.used_mb(),
        );
        if let Some(init) = report.init {
            line += &format!("\tInit Duration: {} ms", two_decimals(init));
        }
        if let Some(restore) = report.restore {
            line += &format!(
                "\tRestore Duration: {} ms\tBilled Restore Duration: {} ms",
                two_decimals(restore),
                whole_ms(restore)
            );
        }
        match report.status {
            Status::Success | Status::FunctionError(_) => line.push('\t'),
            status => status.append(&mut line),
        }
        if let Some(traced) = report.trace.and_then(trace::sampled) {
            line +=
                &format!("\nXRAY TraceId: {}\tSegmentId: {}\tSampled: true\t", traced.root, traced.parent);
        }
        line
    }

    /// The event's type and its record.
    pub(crate) fn record(&self, event: Event<'_>) -> (&'static str, Value) {
        match event {
            Event::InitStart(start) => (
                "platform.initStart",
                json!({
                    "initializationType": self.initialization.name(),
                    "phase": start.phase.name(),
                    "runtimeVersion": start.runtime,
                    "runtimeVersionArn": start.runtime_arn,
                    "functionName": self.function,
                    "functionArn": self.function_arn,
                    "functionVersion": self.version,
                    "instanceId": start.instance,
                    "instanceMaxMemory": self.memory_mib,
                }),
            ),
            Event::InitRuntimeDone(report) => ("platform.initRuntimeDone", self.init_record(report)),
            Event::InitReport(report) => {
                let mut record = self.init_record(report);
                record["metrics"] = json!({ "durationMs": milliseconds(report.duration) });
                ("platform.initReport", record)
            }
            Event::RestoreStart(start) => (
                "platform.restoreStart",
                json!({
                    "functionName": self.function,
                    "functionArn": self.function_arn,
                    "functionVersion": self.version,
                    "instanceId": start.instance,
                    "instanceMaxMemory": self.memory_mib,
                    "runtimeVersion": start.runtime,
                    "runtimeVersionArn": start.runtime_arn,
                }),
            ),
            Event::RestoreRuntimeDone(report) => {
                let mut record = json!({ "status": report.status.name() });
                report.status.insert(&mut record);
                ("platform.restoreRuntimeDone", record)
            }
            Event::RestoreReport(report) => {
                let mut record = json!({
                    "status": report.status.name(),
                    "metrics": { "durationMs": milliseconds(report.duration) },
                });
                report.status.insert(&mut record);
                ("platform.restoreReport", record)
            }
            Event::Start { request_id, tenant, trace } => {
                let mut record = json!({ "requestId": request_id, "version": self.version });
                if let Some(tenant) = tenant {
                    record["tenantId"] = json!(tenant);
                }
                insert_trace(&mut record, trace);
                ("platform.start", record)
            }
            Event::RuntimeDone(report) => {
                let mut record = report.record(json!({
                    "durationMs": milliseconds(report.duration),
                    "producedBytes": report.produced_bytes,
                }));
                insert_trace(&mut record, report.trace);
                ("platform.runtimeDone", record)
            }
            Event::Report(report) => {
                let mut metrics = json!({
                    "durationMs": milliseconds(report.duration),
                    "billedDurationMs": report.billed_ms(),
                    "memorySizeMB": self.memory_mib,
                    "maxMemoryUsedMB": report.used_mb(),
                });
                if let Some(init) = report.init {
                    metrics["initDurationMs"] = json!(milliseconds(init));
                }
                if let Some(restore) = report.restore {
                    metrics["restoreDurationMs"] = json!(milliseconds(restore));
                    metrics["billedRestoreDurationMs"] = json!(whole_ms(restore));
                }
                let mut record = report.record(metrics);
                insert_trace(&mut record, report.trace);
                ("platform.report", record)
            }
            Event::Extension { name, state, events, error_type } => {
                let mut record = json!({ "name": name, "state": state, "events": events });
                if let Some(error_type) = error_type {
                    record["errorType"] = json!(error_type);
                }
                ("platform.extension", record)
            }
            Event::Subscribed { name, api, kinds } => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let kind = match api {
                    Api::Telemetry => "platform.telemetrySubscription",
                    Api::Logs => "platform.logsSubscription",
                };
                (kind, json!({ "name": name, "state": "Subscribed", "types": kinds }))
            }
        }
    }
}

impl Platform {
    fn init_record(&self, report: &InitReport) -> Value {
        let mut record = json!({
            "initializationType": self.initialization.name(),
            "phase": report.phase.name(),
            "status": report.status.name(),
        });
        report.status.insert(&mut record);
        record
    }

    fn is_ahead(&self) -> bool {
        self.initialization != Initialization::OnDemand
    }

    /// The highest system log level that shows it.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
    fn level_of(&self, event: Event<'_>) -> Level {
        let failed = match event {
            Event::InitRuntimeDone(InitReport { status, .. })
            | Event::InitReport(InitReport { status, .. })
            | Event::RestoreRuntimeDone(InitReport { status, .. })
            | Event::RestoreReport(InitReport { status, .. })
            | Event::RuntimeDone(Report { status, .. })
            | Event::Report(Report { status, .. }) => **status != Status::Success,
            Event::Extension { error_type, .. } => error_type.is_some(),
            Event::InitStart(_) | Event::RestoreStart(_) | Event::Start { .. } | Event::Subscribed { .. } => {
                false
            }
        };
        match event {
            _ if failed => Level::Warn,
            Event::InitReport(_) if self.is_ahead() => Level::Info,
            Event::InitRuntimeDone(_)
            | Event::InitReport(_)
            | Event::RestoreRuntimeDone(_)
            | Event::RuntimeDone(_) => Level::Debug,
            _ => Level::Info,
        }
    }
}

impl Report<'_> {
    /// Lambda rounds up to the next millisecond and, since August 2025, bills the Init phase, too.
    fn billed_ms(&self) -> u64 {
        whole_ms(self.duration + self.init.unwrap_or_default()) + self.restore.map_or(0, whole_ms)
    }

    fn used_mb(&self) -> u64 {
        self.memory_bytes_max.div_ceil(1024 * 1024)
    }

    fn record(&self, metrics: Value) -> Value {
        let mut record = json!({
            "requestId": self.request_id,
            "metrics": metrics,
            "status": self.status.name(),
        });
        self.status.insert(&mut record);
        if let Some(tenant) = self.tenant {
            record["tenantId"] = json!(tenant);
        }
        if !self.spans.is_empty() {
            record["spans"] = self.spans.iter().map(Span::record).collect();
        }
        record
    }
}

impl Span {
    fn record(&self) -> Value {
        let start = jiff::Timestamp::from_millisecond(self.start.epoch_ms()).unwrap_or_default();
        json!({
            "name": self.name,
            "start": format!("{start:.3}"),
            "durationMs": milliseconds(self.duration),
        })
    }
}

fn insert_trace(record: &mut Value, trace: Option<&str>) {
    let Some(header) = trace else { return };
    let mut tracing = json!({ "type": "X-Amzn-Trace-Id", "value": header });
    if let Some(traced) = trace::sampled(header) {
        tracing["spanId"] = json!(traced.parent);
    }
    record["tracing"] = tracing;
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
        }
    }
}

impl Status {
    fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::FunctionError(_) | Self::Error(_) => "error",
            Self::Timeout => "timeout",
        }
    }

    fn append(&self, line: &mut String) {
        match self {
            Self::Success => {}
            Self::Timeout => *line += "\tStatus: timeout",
            Self::Error(kind) | Self::FunctionError(kind) => {
                *line += &format!("\tStatus: error\tError Type: {kind}")
            }
        }
    }

    fn insert(&self, record: &mut Value) {
        if let Self::Error(kind) | Self::FunctionError(kind) = self {
            record["errorType"] = json!(kind);
        }
    }
}

/// Rounded up, as Lambda bills.
fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn two_decimals(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests;
