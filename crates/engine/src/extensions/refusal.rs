//! What an extension is told when a call cannot be: AWS's statuses, error types and texts.

use http::StatusCode;

use crate::environment::Refusal;
use crate::telemetry::Api;

/// A call that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

impl Refused {
    pub(super) fn forbidden(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, error_type, message: message.into() }
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::forbidden("InvalidRequestFormat", message)
    }

    pub(super) fn subscription(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type: "ValidationError", message }
    }

    pub(crate) fn other_api() -> Self {
        Self::subscription(
            "an extension subscribes to the Telemetry API or to the Logs API, not to both".to_owned(),
        )
    }

    pub(crate) fn unknown_identifier(identifier: impl std::fmt::Display) -> Self {
        Self::forbidden("Extension.UnknownExtensionIdentifier", format!("Unknown extension {identifier}"))
    }

    pub(crate) fn too_many() -> Self {
        let limit = domain::limits::EXTENSIONS_MAX;
        Self::forbidden("Extension.TooManyExtensions", format!("Extension limit ({limit}) reached"))
    }

    pub(crate) fn shutdown_of_internal() -> Self {
        Self::forbidden(
            "Extension.InvalidEventType",
            "SHUTDOWN: an internal extension cannot subscribe to the Shutdown event",
        )
    }

    pub(crate) fn subscription_closed(api: Api) -> Self {
        match api {
            Api::Telemetry => Self::forbidden(
                "Telemetry.SubscriptionClosed",
                "Telemetry API subscription is closed already",
            ),
            Api::Logs => {
                Self::forbidden("Logs.SubscriptionClosed", "Logs API subscription is closed already")
            }
        }
    }

    /// The environment is going away: the extension is to exit.
    pub(crate) fn gone() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error_type: "InternalServerError",
            message: "Internal Server Error".to_owned(),
        }
    }

    /// What the environment's state does not allow.
    pub(crate) fn of(refusal: Refusal, name: &str) -> Self {
        match refusal {
            Refusal::InvalidExtensionState { from, to } => Self::forbidden(
                "Extension.InvalidExtensionState",
                format!(
                    "State transition from {from} to {to} failed for extension {name}. \
                     Error: State transition is not allowed"
                ),
            ),
            Refusal::RegistrationClosed => {
                Self::forbidden("Extension.RegistrationClosed", "Extension registration closed already")
            }
            _ => Self::gone(),
        }
    }
}
