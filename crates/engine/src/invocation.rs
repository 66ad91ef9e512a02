//! What goes into the engine and what comes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{FunctionName, FunctionVersion, Runtime, Scope};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// A function, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionKey {
    /// Where it lives.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
}

impl FunctionKey {
    /// The function that a version is of.
    pub fn of(version: &FunctionVersion) -> Self {
        Self { scope: version.scope.clone(), name: version.name.clone() }
    }
}

/// One event for one version of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to run.
    pub version: Arc<FunctionVersion>,
    /// The id that the caller and the function both see.
    pub request_id: Uuid,
    /// The ARN as the caller named the function: unqualified, or with a version or an alias.
    pub invoked_arn: String,
    /// The event, as bytes of JSON.
    pub payload: Bytes,
    /// The caller's client context, decoded from base64: JSON.
    pub client_context: Option<String>,
    /// The caller's Cognito identity as JSON, when it has one.
    pub cognito_identity: Option<String>,
    /// `X-Amzn-Trace-Id`.
    pub trace_header: Option<String>,
    /// The tenant it is for, if the function keeps its tenants apart.
    pub tenant_id: Option<Arc<str>>,
    /// Whether the caller waits for the response: only so many such requests may come in a second.
    pub synchronous: bool,
    /// Whether the caller wants the last 4 KB of the log.
    pub tail: bool,
}

/// What an invocation came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The function's response, or the error object that stands in its place.
    pub payload: Bytes,
    /// Set when the function failed: AWS answers 200 with `X-Amz-Function-Error`.
    pub function_error: Option<FunctionError>,
    /// The end of this invocation's log, when asked for.
    pub log_tail: Option<Bytes>,
    /// How the environment came to be.
    pub start: Start,
    /// Which concurrency it ran in.
    pub capacity: Capacity,
    /// From the delivery of the event to the response.
    pub duration: Duration,
}

/// A response that came whole, or one that is still on its way.
#[derive(Debug)]
pub enum Response {
    /// The function answered at once, or failed before it began to answer.
    Whole(Outcome),
    /// The function has begun to answer.
    Stream(ResponseStream),
}

/// A response that the function is writing. The function waits while nobody takes it; it goes on if this is dropped.
#[derive(Debug)]
pub struct ResponseStream {
    /// The media type that the function gave.
    pub content_type: Option<String>,
    pub(crate) chunks: mpsc::Receiver<Bytes>,
    pub(crate) outcome: oneshot::Receiver<Result<Outcome, InvokeError>>,
}

impl ResponseStream {
    /// The next part, as soon as the function has written it; nothing once the response has ended.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        self.chunks.recv().await
    }

    /// How the invocation ended. Its payload is empty, or the error that ended the response.
    pub async fn outcome(self) -> Result<Outcome, InvokeError> {
        self.outcome.await.unwrap_or_else(|_| Err(InvokeError::lost()))
    }
}

/// The beginning of a streamed response.
#[derive(Debug)]
pub(crate) struct StreamHead {
    pub(crate) content_type: Option<String>,
    pub(crate) chunks: mpsc::Receiver<Bytes>,
}

/// Why a function's answer is an error. Every cause is `Unhandled` to the caller; the type is for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// `Runtime.ExitError`, `Sandbox.Timedout`, or what the runtime reported, such as `Function.Unknown`.
    pub error_type: String,
}

impl FunctionError {
    /// The value of `X-Amz-Function-Error`.
    pub const HEADER_VALUE: &'static str = "Unhandled";
}

/// How the environment that answered came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It had answered before, or was waiting.
    Warm,
    /// It was made for the requests that were waiting.
    Cold {
        /// From the start of the runtime to its first call for an event.
        init: Duration,
    },
}

/// Which part of the concurrency an invocation ran in. The metrics `ProvisionedConcurrencyInvocations` and
/// `ProvisionedConcurrencySpilloverInvocations` count the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// The function's version has no provisioned concurrency, or not yet.
    OnDemand,
    /// Provisioned concurrency.
    Provisioned,
    /// On demand, because all provisioned concurrency was in use.
    Spillover,
}

/// The function did not run, or nobody can know what became of it. The lambda service maps this to AWS's errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no room for it now; trying again later may work.  AWS: 429 `TooManyRequestsException`
    #[error("throttled: {}", reason.name())]
    Throttled {
        /// Which limit was met.
        reason: ThrottleReason,
    },
    /// This machine has nothing that can serve the function's runtime.  AWS: 502 `InvalidRuntimeException`
    #[error("{advice}")]
    RuntimeUnavailable {
        /// What was asked for.
        runtime: Runtime,
        /// Why, and how to get it.
        advice: String,
    },
    /// The platform failed, not the function.  AWS: 500 `ServiceException`
    #[error("{why}")]
    Unavailable {
        /// What failed.
        why: String,
    },
    /// With SnapStart: what the function does after it is restored has failed.  AWS: 400 `SnapStartException`
    #[error("the environment could not be restored")]
    RestoreFailed,
    /// With SnapStart: that took too long.  AWS: 408 `SnapStartTimeoutException`
    #[error("the environment was not restored in time")]
    RestoreTimedOut,
    /// The server is going down.  AWS: 503
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl InvokeError {
    /// The environment's task ended without an answer.
    pub(crate) fn lost() -> Self {
        Self::Unavailable { why: "the execution environment ended unexpectedly".to_owned() }
    }
}

/// AWS's `ThrottleReason`, as far as the engine can be the cause.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's concurrency, or the machine's memory, is used up.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is used up, or zero.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More requests a second than the account's concurrency allows.
    FunctionInvocationRateLimitExceeded,
    /// More requests a second than the function's reserved concurrency allows.
    ReservedFunctionInvocationRateLimitExceeded,
}

impl ThrottleReason {
    /// The reason as the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
        }
    }
}
