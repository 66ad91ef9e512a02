//! What AWS calls each mistake.

use wire::Error;

pub(crate) fn access_denied(message: impl Into<String>) -> Error {
    Error::new("AccessDenied", message)
}

pub(crate) fn validation_error(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

/// No device exists that could have shown the code.
pub(crate) fn no_mfa_device() -> Error {
    access_denied(
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is \
         valid and associated with this user.",
    )
}

/// A parameter that would change what the credentials may do, and that nothing honours yet: refused, so that nobody
/// relies on it.
pub(crate) fn unsupported(parameter: &str) -> Error {
    Error::new("NotImplemented", format!("Hearth does not support {parameter} yet. Leave it out."))
}
