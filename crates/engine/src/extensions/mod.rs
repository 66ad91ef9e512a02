//! The Extensions API, as extensions inside an environment see it.
//!
//! [`api`] reads and answers requests on the environment's own listener, beside the Runtime API; [`Registry`] knows who
//! is who. What may happen when is decided by the environment's state.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

mod api;
mod refusal;
mod registration;
mod registry;

pub(crate) use api::{Answered, Route, answer};
pub(crate) use refusal::Refused;
pub(crate) use registration::Registration;
pub(crate) use registry::Registry;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::telemetry::Subscription;

/// A call of an extension, waiting for the environment's decision.
pub(crate) enum ExtensionCall {
    Register {
        registration: Registration,
        reply: oneshot::Sender<Result<Registered, Refused>>,
    },
    Next {
        identifier: Uuid,
        reply: oneshot::Sender<Result<ExtensionEvent, Refused>>,
    },
    /// It could not start, or is about to exit.
    Failed {
        identifier: Uuid,
        in_init: bool,
        error_type: String,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    Subscribe {
        identifier: Uuid,
        subscription: Subscription,
        reply: oneshot::Sender<Result<(), Refused>>,
    },
}

/// An extension's way in, and what it works beside.
pub(crate) struct Registered {
    pub(crate) identifier: Uuid,
    /// The body of the answer.
    pub(crate) body: String,
}

/// What an extension asked for: the body of the answer.
pub(crate) struct ExtensionEvent(pub(crate) String);
