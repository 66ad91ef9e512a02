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
    /// S3, which has names of its own: `InvalidAccessKeyId`.
    S3,
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
    /// The clocks of client and server are too far apart; the text says how far.
    Skewed(String),
}

impl Refusal {
    /// The signature's time is too long ago.
    pub(super) fn too_old(signed: Timestamp, now: Timestamp, limit: Timestamp, minutes: u64) -> Self {
        let (signed, now, limit) =
            (time::format_basic(signed), time::format_basic(now), time::format_basic(limit));
        Self::Skewed(format!(
            "Signature expired: {signed} is now earlier than {limit} ({now} - {minutes} min.)"
        ))
    }

    /// The signature's time has not come.
    pub(super) fn too_new(signed: Timestamp, now: Timestamp, limit: Timestamp, minutes: u64) -> Self {
        let (signed, now, limit) =
            (time::format_basic(signed), time::format_basic(now), time::format_basic(limit));
        Self::Skewed(format!(
            "Signature not yet current: {signed} is still later than {limit} ({now} + {minutes} min.)"
        ))
    }

    /// The error's name.
    pub fn code(&self, style: Style) -> &'static str {
        if style == Style::S3 {
            return self.code_of_s3();
        }
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
            Self::Mismatch | Self::Invalid(_) | Self::Skewed(_) if query => "SignatureDoesNotMatch",
            Self::Mismatch | Self::Invalid(_) | Self::Skewed(_) => "InvalidSignatureException",
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    fn code_of_s3(&self) -> &'static str {
        match self {
            Self::MissingToken | Self::RequestExpired => "AccessDenied",
            Self::Incomplete(_) | Self::Invalid(_) => "AuthorizationHeaderMalformed",
            Self::UnknownKey => "InvalidAccessKeyId",
            Self::ExpiredToken => "ExpiredToken",
            Self::Mismatch => "SignatureDoesNotMatch",
            Self::Skewed(_) => "RequestTimeTooSkewed",
        }
    }

    /// The error's text.
    pub fn message(&self, style: Style) -> String {
        if style == Style::S3 {
            match self {
                Self::MissingToken => return "Access Denied".into(),
                Self::UnknownKey => {
                    return "The AWS Access Key Id you provided does not exist in our records.".into();
                }
                Self::ExpiredToken => return "The provided token has expired.".into(),
                Self::RequestExpired => return "Request has expired".into(),
                Self::Mismatch => {
                    return "The request signature we calculated does not match the signature you provided. Check \
                            your key and signing method."
                        .into();
                }
                Self::Skewed(_) => {
                    return "The difference between the request time and the current time is too large."
                        .into();
                }
                Self::Incomplete(_) | Self::Invalid(_) => {}
            }
        }
        match self {
            Self::MissingToken if style == Style::Query => "Request is missing Authentication Token".into(),
            Self::MissingToken => "Missing Authentication Token".into(),
            Self::Incomplete(text) | Self::Invalid(text) | Self::Skewed(text) => text.clone(),
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
            (Self::Incomplete(_) | Self::Invalid(_) | Self::ExpiredToken, Style::S3) => 400,
            (_, Style::S3) => 403,
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

    #[test]
    fn s3_has_names_of_its_own() {
        for (refusal, expected) in [
            (Refusal::MissingToken, "403 AccessDenied"),
            (Refusal::Incomplete(String::new()), "400 AuthorizationHeaderMalformed"),
            (Refusal::UnknownKey, "403 InvalidAccessKeyId"),
            (Refusal::ExpiredToken, "400 ExpiredToken"),
            (Refusal::RequestExpired, "403 AccessDenied"),
            (Refusal::Mismatch, "403 SignatureDoesNotMatch"),
            (Refusal::Skewed(String::new()), "403 RequestTimeTooSkewed"),
        ] {
            assert_eq!(format!("{} {}", refusal.status(Style::S3), refusal.code(Style::S3)), expected);
        }
    }
}
