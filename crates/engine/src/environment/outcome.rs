//! What a verdict means to the caller: the payloads and error types that Lambda answers with.

use bytes::Bytes;
use domain::FunctionVersion;
use uuid::Uuid;

use super::state::{Answer, Death, ExtensionFailure, Verdict};
use crate::isolation::Exit;
use crate::logs::Status;
use crate::runtime_api::Posted;
use crate::{FunctionError, InvokeError};

/// What is known when a verdict falls.
pub(super) struct Circumstances<'a> {
    pub(super) request_id: Uuid,
    pub(super) version: &'a FunctionVersion,
    /// What the runtime posted, if the verdict is about that.
    pub(super) posted: Option<Posted>,
    /// How the runtime ended, if it has.
    pub(super) exit: Option<Exit>,
    /// Why the runtime could not be started, or the machine failed.
    pub(super) fault: Option<&'a str>,
    /// How the extension that failed ended.
    pub(super) extension: Option<&'a str>,
    /// How large the response could have been.
    pub(super) bytes_max: usize,
}

/// What the caller gets, and what the log calls it.
pub(super) struct Ruling {
    pub(super) payload: Bytes,
    pub(super) function_error: Option<FunctionError>,
    pub(super) status: Status,
}

/// Lambda's answer to a verdict.
pub(super) fn rule(verdict: Verdict, circumstances: Circumstances) -> Result<Ruling, InvokeError> {
    let Circumstances { request_id, version, posted, exit, fault, extension, bytes_max } = circumstances;
    let platform_error = |error_type: &str, message: &str| {
        let message = format!("RequestId: {request_id} Error: {message}");
        failed(error_type, error_object(error_type, &message))
    };
    Ok(match verdict {
        Verdict::Answered(Answer::Success) => Ruling {
            payload: posted.map(|posted| posted.body).unwrap_or_default(),
            function_error: None,
            status: Status::Success,
        },
        Verdict::Answered(Answer::Error) => reported(posted, Status::FunctionError),
        Verdict::InitError => reported(posted, Status::Error),
        Verdict::Answered(Answer::TooLarge) => failed("Function.ResponseSizeTooLarge", too_large(bytes_max)),
        Verdict::Answered(Answer::InvalidMode) => {
            platform_error("Runtime.InvalidResponseModeHeader", "Invalid function response mode")
        }
        Verdict::Answered(Answer::Truncated) => {
            platform_error("Runtime.TruncatedResponse", "Response was truncated")
        }
        Verdict::TimedOut => Ruling {
            status: Status::Timeout,
            ..platform_error(
                "Sandbox.Timedout",
                &format!("Task timed out after {:.2} seconds", version.timeout.as_secs_f64()),
            )
        },
        Verdict::Died(Death::Exit) => platform_error("Runtime.ExitError", &exit_message(exit)),
        Verdict::Died(Death::OutOfMemory) => {
            platform_error("Runtime.OutOfMemory", &exit_message(Some(Exit::Signal(SIGKILL))))
        }
        Verdict::Extension(failure) => {
            platform_error(extension_failure_type(failure), extension.unwrap_or("exit code 0"))
        }
        Verdict::InvalidEntrypoint => platform_error(
            "Runtime.InvalidEntrypoint",
            fault.unwrap_or("the runtime has no program to start"),
        ),
        Verdict::Broken => {
            return Err(InvokeError::Unavailable {
                why: fault.unwrap_or("the execution environment failed").to_owned(),
            });
        }
        Verdict::Aborted => return Err(InvokeError::ShuttingDown),
    })
}

/// An error type for how a runtime died before it had anything to run.
pub(super) fn death_type(death: Death) -> &'static str {
    match death {
        Death::Exit => "Runtime.ExitError",
        Death::OutOfMemory => "Runtime.OutOfMemory",
    }
}

/// An error type for how an extension failed.
pub(super) fn extension_failure_type(failure: ExtensionFailure) -> &'static str {
    match failure {
        ExtensionFailure::Launch => "Extension.LaunchError",
        ExtensionFailure::Init => "Extension.InitError",
        ExtensionFailure::Exit => "Extension.ExitError",
        ExtensionFailure::Crash => "Extension.Crash",
    }
}

/// How an extension's process ended, in the words of its error.
pub(super) fn extension_end(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal: {}", signal_name(signal)),
    }
}

fn reported(posted: Option<Posted>, status: fn(String) -> Status) -> Ruling {
    let (payload, error_type) = posted.map(|posted| (posted.body, posted.error_type)).unwrap_or_default();
    Ruling {
        payload,
        function_error: Some(FunctionError { error_type: error_type.clone() }),
        status: status(error_type),
    }
}

fn failed(error_type: &str, payload: Bytes) -> Ruling {
    Ruling {
        payload,
        function_error: Some(FunctionError { error_type: error_type.to_owned() }),
        status: Status::Error(error_type.to_owned()),
    }
}

fn error_object(error_type: &str, message: &str) -> Bytes {
    let message = serde_json::Value::from(message);
    format!(r#"{{"errorType":"{error_type}","errorMessage":{message}}}"#).into()
}

fn too_large(bytes_max: usize) -> Bytes {
    format!(
        r#"{{"errorMessage":"Response payload size exceeded maximum allowed payload size ({bytes_max} bytes).","errorType":"Function.ResponseSizeTooLarge"}}"#
    )
    .into()
}

const SIGKILL: i32 = 9;

fn exit_message(exit: Option<Exit>) -> String {
    match exit {
        None | Some(Exit::Code(0)) => "Runtime exited without providing a reason".to_owned(),
        Some(Exit::Code(status)) => format!("Runtime exited with error: exit status {status}"),
        Some(Exit::Signal(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
    }
}

/// Signals as Lambda's own messages name them.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(verdict: Verdict, exit: Option<Exit>, fault: Option<&str>, payload: &str) {
        let mut version = crate::isolation::fake::version("f");
        version.timeout = Duration::from_secs(1);
        let circumstances = Circumstances {
            request_id: Uuid::nil(),
            version: &version,
            posted: None,
            exit,
            fault,
            extension: Some("exit code 3"),
            bytes_max: domain::limits::SYNC_RESPONSE_BYTES,
        };
        let ruling = rule(verdict, circumstances).unwrap();
        assert_eq!(ruling.payload, payload);
        assert!(ruling.function_error.is_some());
    }

    #[test]
    fn failures_are_worded_as_on_lambda() {
        check(
            Verdict::TimedOut,
            None,
            None,
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Task timed out after 1.00 seconds"}"#,
        );
        check(
            Verdict::Died(Death::Exit),
            Some(Exit::Code(0)),
            None,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Runtime exited without providing a reason"}"#,
        );
        check(
            Verdict::Died(Death::Exit),
            Some(Exit::Code(127)),
            None,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Runtime exited with error: exit status 127"}"#,
        );
        check(
            Verdict::Died(Death::Exit),
            Some(Exit::Signal(11)),
            None,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Runtime exited with error: signal: segmentation fault"}"#,
        );
        check(
            Verdict::Died(Death::OutOfMemory),
            Some(Exit::Code(137)),
            None,
            r#"{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Runtime exited with error: signal: killed"}"#,
        );
        check(
            Verdict::InvalidEntrypoint,
            None,
            Some("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
            r#"{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}"#,
        );
        check(
            Verdict::Extension(ExtensionFailure::Crash),
            None,
            None,
            r#"{"errorType":"Extension.Crash","errorMessage":"RequestId: 00000000-0000-0000-0000-000000000000 Error: exit code 3"}"#,
        );
        check(
            Verdict::Answered(Answer::TooLarge),
            None,
            None,
            r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#,
        );
    }
}
