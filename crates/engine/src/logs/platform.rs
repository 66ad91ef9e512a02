//! The platform's own lines: START, END, REPORT, INIT_START and INIT_REPORT, as text or as JSON.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>

use std::time::Duration;

use domain::{FunctionVersion, LogFormat, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// How a function's platform lines look, and which of them are wanted.
pub(crate) struct Platform {
    format: LogFormat,
    level: Level,
    function: String,
    version: String,
    memory_mib: u32,
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
    pub(crate) memory_bytes_max: u64,
    pub(crate) produced_bytes: usize,
    pub(crate) status: &'a Status,
}

/// What INIT_REPORT says.
pub(crate) struct InitReport<'a> {
    pub(crate) duration: Duration,
    pub(crate) phase: Phase,
    pub(crate) status: &'a Status,
}

impl Platform {
    pub(crate) fn new(version: &FunctionVersion) -> Self {
        let level = match version.logging.system_level.as_deref() {
            Some("DEBUG") => Level::Debug,
            Some("WARN") => Level::Warn,
            _ => Level::Info,
        };
        Self {
            format: version.logging.format,
            level,
            function: version.name.to_string(),
            version: version.version.to_string(),
            memory_mib: version.memory_mib,
        }
    }

    /// The runtime starts.
    pub(crate) fn init_start(
        &self,
        at: Timestamp,
        phase: Phase,
        runtime: &str,
        runtime_arn: &str,
    ) -> Option<String> {
        match self.format {
            LogFormat::Text => {
                Some(format!("INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_arn}"))
            }
            LogFormat::Json => self.json(at, Level::Info, "platform.initStart", || {
                json!({
                    "initializationType": "on-demand",
                    "phase": phase.name(),
                    "runtimeVersion": runtime,
                    "runtimeVersionArn": runtime_arn,
                    "functionName": self.function,
                    "functionVersion": self.version,
                })
            }),
        }
    }

    /// The runtime is up, or is not going to be. In text only failures are worth a line.
    pub(crate) fn init_report(&self, at: Timestamp, report: &InitReport) -> Option<String> {
        let failed = *report.status != Status::Success;
        match self.format {
            LogFormat::Text => failed.then(|| {
                let mut line = format!(
                    "INIT_REPORT Init Duration: {} ms\tPhase: {}",
                    two_decimals(report.duration),
                    report.phase.name()
                );
                report.status.append(&mut line);
                line
            }),
            LogFormat::Json => {
                let level = if failed { Level::Warn } else { Level::Debug };
                self.json(at, level, "platform.initReport", || {
                    let mut record = json!({
                        "initializationType": "on-demand",
                        "phase": report.phase.name(),
                        "status": report.status.name(),
                        "metrics": { "durationMs": milliseconds(report.duration) },
                    });
                    report.status.insert(&mut record);
                    record
                })
            }
        }
    }

    /// The runtime has done its part of the Init phase. Text has no such line.
    pub(crate) fn init_runtime_done(&self, at: Timestamp, report: &InitReport) -> Option<String> {
        if self.format == LogFormat::Text {
            return None;
        }
        let level = if *report.status == Status::Success { Level::Debug } else { Level::Warn };
        self.json(at, level, "platform.initRuntimeDone", || {
            let mut record = json!({
                "initializationType": "on-demand",
                "phase": report.phase.name(),
                "status": report.status.name(),
            });
            report.status.insert(&mut record);
            record
        })
    }

    /// The event goes to the function.
    pub(crate) fn start(&self, at: Timestamp, request_id: Uuid) -> Option<String> {
        match self.format {
            LogFormat::Text => Some(format!("START RequestId: {request_id} Version: {}", self.version)),
            LogFormat::Json => self.json(
                at,
                Level::Info,
                "platform.start",
                || json!({ "requestId": request_id, "version": self.version }),
            ),
        }
    }

    /// The invocation is over.
    pub(crate) fn end(&self, at: Timestamp, report: &Report) -> Option<String> {
        match self.format {
            LogFormat::Text => Some(format!("END RequestId: {}", report.request_id)),
            LogFormat::Json => {
                let level = if *report.status == Status::Success { Level::Debug } else { Level::Warn };
                self.json(at, level, "platform.runtimeDone", || {
                    let mut record = json!({
                        "requestId": report.request_id,
                        "status": report.status.name(),
                        "metrics": {
                            "durationMs": milliseconds(report.duration),
                            "producedBytes": report.produced_bytes,
                        },
                    });
                    report.status.insert(&mut record);
                    record
                })
            }
        }
    }

    /// What the invocation cost.
    pub(crate) fn report(&self, at: Timestamp, report: &Report) -> Option<String> {
        // Lambda rounds up to the next millisecond and, since August 2025, bills the Init phase, too.
        let billed_ms = (report.duration + report.init.unwrap_or_default()).as_nanos().div_ceil(1_000_000);
        let used_mb = report.memory_bytes_max.div_ceil(1024 * 1024);
        match self.format {
            LogFormat::Text => {
                let mut line = format!(
                    "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {billed_ms} ms\tMemory Size: {} MB\tMax Memory Used: {used_mb} MB",
                    report.request_id,
                    two_decimals(report.duration),
                    self.memory_mib
                );
                if let Some(init) = report.init {
                    line += &format!("\tInit Duration: {} ms", two_decimals(init));
                }
                match report.status {
                    Status::Success | Status::FunctionError(_) => line.push('\t'),
                    status => status.append(&mut line),
                }
                Some(line)
            }
            LogFormat::Json => {
                let level = if *report.status == Status::Success { Level::Info } else { Level::Warn };
                self.json(at, level, "platform.report", || {
                    let mut record = json!({
                        "requestId": report.request_id,
                        "metrics": {
                            "durationMs": milliseconds(report.duration),
                            "billedDurationMs": u64::try_from(billed_ms).unwrap_or(u64::MAX),
                            "memorySizeMB": self.memory_mib,
                            "maxMemoryUsedMB": used_mb,
                        },
                        "status": report.status.name(),
                    });
                    if let Some(init) = report.init {
                        record["metrics"]["initDurationMs"] = json!(milliseconds(init));
                    }
                    report.status.insert(&mut record);
                    record
                })
            }
        }
    }

    fn json(
        &self,
        at: Timestamp,
        level: Level,
        kind: &str,
        record: impl FnOnce() -> Value,
    ) -> Option<String> {
        if level < self.level {
            return None;
        }
        let time = jiff::Timestamp::from_millisecond(at.epoch_ms()).unwrap_or_default();
        // In Lambda's order, for those who read it with their eyes.
        Some(format!(r#"{{"time":"{time:.3}","type":"{kind}","record":{}}}"#, record()))
    }
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

fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn two_decimals(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x8476_a536_e9f4_11e8_9739_2dfe_598c_3fcd);
    const AT: Timestamp = Timestamp(1_700_000_000_123);

    fn platform(format: LogFormat, level: Option<&str>) -> Platform {
        let mut version = crate::isolation::fake::version("f");
        version.logging.format = format;
        version.logging.system_level = level.map(str::to_owned);
        Platform::new(&version)
    }

    fn report(status: &Status, init_us: Option<u64>) -> Report<'_> {
        Report {
            request_id: ID,
            duration: Duration::from_micros(2_899),
            init: init_us.map(Duration::from_micros),
            memory_bytes_max: 35 * 1024 * 1024 + 1,
            produced_bytes: 4,
            status,
        }
    }

    #[track_caller]
    fn check(line: Option<String>, expected: &str) {
        assert_eq!(line.as_deref(), Some(expected));
    }

    #[test]
    fn text_lines_are_spelled_as_on_lambda() {
        let text = platform(LogFormat::Text, None);
        check(
            text.init_start(AT, Phase::Init, "python:3.12.7", "arn:aws:lambda:us-east-1::runtime:0a"),
            "INIT_START Runtime Version: python:3.12.7\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:0a",
        );
        check(text.start(AT, ID), "START RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Version: $LATEST");
        check(
            text.end(AT, &report(&Status::Success, None)),
            "END RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        );
        check(
            text.report(AT, &report(&Status::Success, None)),
            "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t",
        );
        check(
            text.report(AT, &report(&Status::Success, Some(110_100))),
            "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 113 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t",
        );
        check(
            text.report(AT, &report(&Status::Timeout, None)),
            "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout",
        );
        check(
            text.report(AT, &report(&Status::Error("Runtime.ExitError".into()), None)),
            "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError",
        );
    }

    #[test]
    fn a_text_init_report_is_written_only_on_failure() {
        let text = platform(LogFormat::Text, None);
        let init =
            |status| InitReport { duration: Duration::from_micros(1_236_040), phase: Phase::Init, status };
        assert_eq!(text.init_report(AT, &init(&Status::Success)), None);
        check(
            text.init_report(AT, &init(&Status::Timeout)),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout",
        );
    }

    #[test]
    fn json_lines_obey_the_system_level() {
        let ok = report(&Status::Success, None);
        let error = Status::Error("Runtime.ExitError".into());
        let failed = report(&error, None);
        let info = platform(LogFormat::Json, None);
        check(
            info.start(AT, ID),
            r#"{"time":"2023-11-14T22:13:20.123Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","version":"$LATEST"}}"#,
        );
        assert_eq!(info.end(AT, &ok), None);
        assert!(info.end(AT, &failed).unwrap().contains(r#""errorType":"Runtime.ExitError""#));
        let init = InitReport { duration: Duration::from_micros(1_500), phase: Phase::Init, status: &error };
        assert!(info.init_runtime_done(AT, &init).unwrap().contains(r#""status":"error""#));
        assert!(info.init_report(AT, &init).unwrap().contains(r#""metrics":{"durationMs":1.5}"#));
        let warn = platform(LogFormat::Json, Some("WARN"));
        assert_eq!(warn.report(AT, &ok), None);
        assert!(warn.report(AT, &failed).is_some());
        let debug = platform(LogFormat::Json, Some("DEBUG"));
        assert!(debug.end(AT, &ok).unwrap().contains(r#""producedBytes":4"#));
    }
}
