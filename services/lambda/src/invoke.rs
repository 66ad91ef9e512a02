//! `Invoke`: check what was sent, run it, say what came of it. Nothing here touches the disk.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{FunctionVersion, Qualifier, Version, limits};
use engine::{FunctionError, Invocation, InvokeError, Outcome};
use wire::{Context, Error};

use crate::aliases::Chance;
use crate::error::{invalid_parameter, not_supported};
use crate::functions::Target;
use crate::snapshot::Invocable;
use crate::{Lambda, asynchronous, shapes};

/// What it takes to invoke.
pub(crate) const ACTION: &str = "lambda:InvokeFunction";

/// Runs a function and answers with its response, or checks that it could be run.
pub async fn invoke(
    lambda: Lambda,
    cx: Context,
    input: shapes::InvocationRequest,
) -> Result<shapes::InvocationResponse, Error> {
    refuse_unsupported(&input)?;
    let kind = match input.invocation_type {
        Some(shapes::InvocationType::Event) => Kind::Event,
        _ => Kind::RequestResponse,
    };
    let asked = Asked {
        action: ACTION,
        kind,
        function_name: &input.function_name,
        qualifier: input.qualifier.as_deref(),
        payload: input.payload,
        client_context: input.client_context.as_deref(),
        tenant_id: input.tenant_id.as_deref(),
        tail: input.log_type == Some(shapes::LogType::Tail),
    };
    let invocation = check(&lambda, &cx, asked)?;
    if input.invocation_type == Some(shapes::InvocationType::DryRun) {
        return Ok(shapes::InvocationResponse { status_code: Some(204), ..Default::default() });
    }
    if kind == Kind::Event {
        asynchronous::accept(&lambda, invocation).await?;
        return Ok(shapes::InvocationResponse { status_code: Some(202), ..Default::default() });
    }
    let version = invocation.version.version;
    lambda.engine.invoke(invocation).await.map(|outcome| respond(outcome, version)).map_err(refuse)
}

/// Whether the caller waits for the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does.
    RequestResponse,
    /// It does not.
    Event,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
        }
    }

    fn payload_bytes_max(self) -> usize {
        match self {
            Self::RequestResponse => limits::SYNC_PAYLOAD_BYTES,
            Self::Event => limits::ASYNC_PAYLOAD_BYTES,
        }
    }
}

/// What every kind of invocation says.
pub(crate) struct Asked<'a> {
    /// What must be allowed.
    pub(crate) action: &'static str,
    pub(crate) kind: Kind,
    pub(crate) function_name: &'a str,
    pub(crate) qualifier: Option<&'a str>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) client_context: Option<&'a str>,
    pub(crate) tenant_id: Option<&'a str>,
    pub(crate) tail: bool,
}

/// Finds what is to run, and checks what it is to run with.
pub(crate) fn check(lambda: &Lambda, cx: &Context, asked: Asked) -> Result<Invocation, Error> {
    let target = lambda.target(cx, asked.action, asked.function_name, asked.qualifier)?;
    let version = find(lambda, &target, Chance::of(cx.request_id))?;
    let tenant_id = tenant(&version, asked.tenant_id)?;
    let payload = check_payload(asked.kind, asked.payload.unwrap_or_default())?;
    let client_context = asked.client_context.map(decode_client_context).transpose()?;
    let trace_header = header(cx, "x-amzn-trace-id");
    let trace_header = match asked.kind {
        Kind::RequestResponse => Some(lambda.follow(trace_header.as_deref(), &version, cx.request_id)?),
        // An event is a step of its chain when it runs.
        Kind::Event => trace_header,
    };
    Ok(Invocation {
        version,
        request_id: cx.request_id,
        invoked_arn: target.arn(),
        payload,
        client_context,
        cognito_identity: None,
        trace_header,
        tenant_id,
        synchronous: asked.kind == Kind::RequestResponse,
        tail: asked.tail,
    })
}

/// A function that keeps its tenants apart must know for whom it runs, and no other may be told.
/// <https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html>
fn tenant(version: &FunctionVersion, asked: Option<&str>) -> Result<Option<Arc<str>>, Error> {
    match (version.per_tenant, asked) {
        (true, Some(tenant)) => Ok(Some(tenant.into())),
        (false, None) => Ok(None),
        (true, None) => Err(invalid_parameter(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try \
             again.",
        )),
        (false, Some(_)) => Err(invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request \
             and try again.",
        )),
    }
}

/// What a target names, if it can be run now.
pub(crate) fn find(lambda: &Lambda, target: &Target, chance: Chance) -> Result<Arc<FunctionVersion>, Error> {
    match lambda.functions.find(&target.scope, &target.name, target.qualifier.as_ref(), chance) {
        Some(Invocable::Version(version)) => Ok(version),
        Some(Invocable::Initialising) => Err(Error::new(
            "SnapStartNotReadyException",
            "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.",
        )),
        Some(Invocable::Pending) => Err(crate::error::pending(&target.arn())),
        Some(Invocable::Failed(reason)) => Err(Error::new(
            "ResourceConflictException",
            format!(
                "The operation cannot be performed at this time. The function is currently in the following state: \
                 Failed ({reason})"
            ),
        )),
        None => {
            // AWS names the version it looked for, even when the caller named none.
            let qualifier = target.qualifier.clone().unwrap_or(Qualifier::Latest);
            let asked = target.qualifier.is_some().then_some(&qualifier);
            Err(crate::error::function_not_found(&target.scope, &target.name, asked))
        }
    }
}

fn respond(outcome: Outcome, version: Version) -> shapes::InvocationResponse {
    shapes::InvocationResponse {
        status_code: Some(200),
        function_error: outcome.function_error.map(|_| FunctionError::HEADER_VALUE.to_owned()),
        log_result: outcome.log_tail.map(|tail| STANDARD.encode(tail)),
        payload: Some(outcome.payload),
        executed_version: Some(version.to_string()),
        ..Default::default()
    }
}

/// What AWS calls it when a function cannot run.
pub(crate) fn refuse(error: InvokeError) -> Error {
    /// When a throttled caller may try again, in seconds.
    const RETRY_AFTER_SECONDS: &str = "1";
    match error {
        InvokeError::Throttled { reason } => Error::new("TooManyRequestsException", "Rate Exceeded.")
            .with_field("Reason", reason.name())
            .with_field("retryAfterSeconds", RETRY_AFTER_SECONDS),
        InvokeError::RuntimeUnavailable { runtime, advice } => {
            Error::new("InvalidRuntimeException", format!("{runtime} cannot run on this machine: {advice}"))
        }
        InvokeError::RestoreFailed => Error::new(
            "SnapStartException",
            "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs.",
        ),
        InvokeError::RestoreTimedOut => Error::new(
            "SnapStartTimeoutException",
            "Lambda couldn't restore the snapshot within the timeout limit.",
        ),
        InvokeError::Unavailable { why } => crate::error::service(why),
        InvokeError::ShuttingDown => {
            Error::new("ServiceException", "The server is shutting down; try again when it is back.")
                .with_status(503)
        }
    }
}

fn refuse_unsupported(input: &shapes::InvocationRequest) -> Result<(), Error> {
    if input.durable_execution_name.is_some() {
        return Err(not_supported("durable executions"));
    }
    Ok(())
}

/// Size first, then JSON, as AWS does. An empty body is an empty object.
fn check_payload(kind: Kind, payload: Bytes) -> Result<Bytes, Error> {
    if payload.len() > kind.payload_bytes_max() {
        return Err(Error::new(
            "RequestTooLargeException",
            format!(
                "{} byte payload is too large for the {} invocation type (limit {} bytes)",
                payload.len(),
                kind.name(),
                kind.payload_bytes_max()
            ),
        ));
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    // The parser passes over strings without looking at their bytes.
    if let Err(error) = std::str::from_utf8(&payload) {
        return Err(Error::new(
            "InvalidRequestContentException",
            format!(
                "Could not parse request body into json: Could not parse payload into json: Invalid UTF-8 byte \
                 0x{:x}\n at [Source: (byte[])\"{}\"; byte: {}]",
                payload[error.valid_up_to()],
                excerpt(&payload),
                error.valid_up_to() + 1,
            ),
        ));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Error::new(
            "InvalidRequestContentException",
            format!(
                "Could not parse request body into json: Could not parse payload into json: {}\n at [Source: \
                 (byte[])\"{}\"; line: {}, column: {}]",
                reason(&error),
                excerpt(&payload),
                error.line(),
                error.column()
            ),
        )),
    }
}

/// What is wrong with the JSON, without the position, which the message gives in AWS's form.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

/// The beginning of the payload, as the message quotes it.
fn excerpt(payload: &[u8]) -> String {
    const BYTES_MAX: usize = 500;
    let shown = String::from_utf8_lossy(&payload[..payload.len().min(BYTES_MAX)]).into_owned();
    match payload.len().checked_sub(BYTES_MAX) {
        Some(rest) if rest > 0 => format!("{shown}\"[truncated {rest} bytes]"),
        _ => shown,
    }
}

fn decode_client_context(encoded: &str) -> Result<String, Error> {
    let invalid = || {
        Error::new(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
    };
    // The limit counts what is sent, in its encoding.
    if encoded.len() > limits::CLIENT_CONTEXT_BYTES {
        return Err(invalid_parameter(format!(
            "Client context is larger than {} bytes.",
            limits::CLIENT_CONTEXT_BYTES
        )));
    }
    let decoded =
        STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&decoded).map_err(|_| invalid())?;
    Ok(decoded)
}

fn header(cx: &Context, name: &str) -> Option<String> {
    cx.headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_payload_is_an_empty_object() {
        assert_eq!(check_payload(Kind::RequestResponse, Bytes::new()).unwrap(), "{}");
    }

    #[test]
    fn a_payload_that_is_not_json_is_refused_with_its_position() {
        let error = check_payload(Kind::RequestResponse, Bytes::from_static(b"{\"a\": nope}")).unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
        assert!(error.message.contains("line: 1, column:"), "{}", error.message);
    }

    #[test]
    fn a_payload_that_is_not_utf8_is_refused_even_inside_a_string() {
        let error =
            check_payload(Kind::RequestResponse, Bytes::from_static(b"{\"a\": \"\xff\"}")).unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
        assert!(error.message.contains("Invalid UTF-8 byte 0xff"), "{}", error.message);
        assert!(error.message.ends_with("byte: 8]"), "{}", error.message);
    }

    #[test]
    fn a_client_context_is_a_small_json_object() {
        let decode = |text: &str| decode_client_context(&STANDARD.encode(text)).map_err(|error| error.code);
        assert_eq!(decode(r#"{"custom":{"a":"b"}}"#).unwrap(), r#"{"custom":{"a":"b"}}"#);
        for no_object in ["", "1", "\"text\"", "[]", "{"] {
            assert_eq!(decode(no_object).unwrap_err(), "InvalidRequestContentException", "{no_object}");
        }
        assert!(decode_client_context("!!").is_err());
        let of = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        // In base64 3,580 bytes, and 3,584.
        assert!(decode(&of(2685)).is_ok());
        assert_eq!(decode(&of(2688)).unwrap_err(), "InvalidParameterValueException");
    }

    #[test]
    fn six_mebibytes_are_accepted_and_one_byte_more_is_not() {
        let of = |length: usize| Bytes::from([b"\"".as_slice(), &vec![b'a'; length - 2], b"\""].concat());
        assert!(check_payload(Kind::RequestResponse, of(limits::SYNC_PAYLOAD_BYTES)).is_ok());
        let error = check_payload(Kind::RequestResponse, of(limits::SYNC_PAYLOAD_BYTES + 1)).unwrap_err();
        assert_eq!(error.code, "RequestTooLargeException");
    }

    #[test]
    fn an_event_may_be_one_mebibyte() {
        let of = |length: usize| Bytes::from([b"\"".as_slice(), &vec![b'a'; length - 2], b"\""].concat());
        assert!(check_payload(Kind::Event, of(limits::ASYNC_PAYLOAD_BYTES)).is_ok());
        let error = check_payload(Kind::Event, of(limits::ASYNC_PAYLOAD_BYTES + 1)).unwrap_err();
        assert_eq!(error.code, "RequestTooLargeException");
        let message = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)";
        assert_eq!(error.message, message);
    }
}
