//! Why a request's credentials were refused, in AWS's names and words.

use domain::Timestamp;

use super::time;

/// Which of AWS's two vocabularies a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The query and XML services: `SignatureDoesNotMatch`.
    Query,
    /// The rest-json services: `InvalidSignatureException`, 403.
    RestJson,
    /// The aws-json services: the same names, 400.
    Json,
}

/// Why a request's credentials were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request carries no credentials.
    MissingToken,
    /// The credentials are there and cannot be read; the text says what is wrong.
    Incomplete(String),
    /// Nobody has this access key id, or this session token.
    UnknownKey,
    /// The session token has expired.
    ExpiredToken,
    /// The pre-signed request is past its time.
    RequestExpired,
    /// The signature is not the one that the secret makes of this request.
    Mismatch,
    /// The signature cannot hold, whatever it is; the text says why.
    Invalid(String),
}

impl Refusal {
    /// The signature's time is too long ago.
    pub(super) fn too_old(signed: Timestamp, now: Timestamp, limit: Timestamp, minutes: u64) -> Self {
        let (signed, now, limit) =
            (time::format_basic(signed), time::format_basic(now), time::format_basic(limit));
        Self::Invalid(format!(
            "Signature expired: {signed} is now earlier than {limit} ({now} - {minutes} min.)"
        ))
    }

    /// The signature's time has not come.
    pub(super) fn too_new(signed: Timestamp, now: Timestamp, limit: Timestamp, minutes: u64) -> Self {
        let (signed, now, limit) =
            (time::format_basic(signed), time::format_basic(now), time::format_basic(limit));
        Self::Invalid(format!(
            "Signature not yet current: {signed} is still later than {limit} ({now} + {minutes} min.)"
        ))
    }

    /// The error's name.
    pub fn code(&self, style: Style) -> &'static str {
        let query = style == Style::Query;
        match self {
            Self::MissingToken if query => "MissingAuthenticationToken",
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::Incomplete(_) if query => "IncompleteSignature",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnknownKey if query => "InvalidClientTokenId",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::ExpiredToken if query => "ExpiredToken",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::RequestExpired => "RequestExpired",
            Self::Mismatch | Self::Invalid(_) if query => "SignatureDoesNotMatch",
            Self::Mismatch | Self::Invalid(_) => "InvalidSignatureException",
        }
    }

    /// The error's text.
    pub fn message(&self, style: Style) -> String {
        match self {
            Self::MissingToken if style == Style::Query => "Request is missing Authentication Token".into(),
            Self::MissingToken => "Missing Authentication Token".into(),
            Self::Incomplete(text) | Self::Invalid(text) => text.clone(),
            Self::UnknownKey => "The security token included in the request is invalid.".into(),
            Self::ExpiredToken => "The security token included in the request is expired".into(),
            Self::RequestExpired => "Request has expired.".into(),
            Self::Mismatch => {
                "The request signature we calculated does not match the signature you provided. \
                               Check your AWS Secret Access Key and signing method. Consult the service \
                               documentation for details."
                    .into()
            }
        }
    }

    /// The HTTP status.
    pub fn status(&self, style: Style) -> u16 {
        match (self, style) {
            (_, Style::Json) | (Self::RequestExpired, _) | (Self::Incomplete(_), Style::Query) => 400,
            _ => 403,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_name_and_status_of_its_style() {
        for (refusal, query, json) in [
            (
                Refusal::MissingToken,
                "403 MissingAuthenticationToken",
                "403 MissingAuthenticationTokenException",
            ),
            (
                Refusal::Incomplete(String::new()),
                "400 IncompleteSignature",
                "403 IncompleteSignatureException",
            ),
            (Refusal::UnknownKey, "403 InvalidClientTokenId", "403 UnrecognizedClientException"),
            (Refusal::ExpiredToken, "403 ExpiredToken", "403 ExpiredTokenException"),
            (Refusal::RequestExpired, "400 RequestExpired", "400 RequestExpired"),
            (Refusal::Mismatch, "403 SignatureDoesNotMatch", "403 InvalidSignatureException"),
        ] {
            let seen = |style| format!("{} {}", refusal.status(style), refusal.code(style));
            assert_eq!(seen(Style::Query), query);
            assert_eq!(seen(Style::RestJson), json);
            assert_eq!(refusal.status(Style::Json), 400);
        }
    }
}
