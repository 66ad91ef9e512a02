//! Who asks, by S3's rules and in its words.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

mod version_2;
mod version_4;

use domain::{Principal, Region, Timestamp};
use http::header::AUTHORIZATION;

use super::payload::Payload;
use crate::gateway::answer::{fault, unproven};
use crate::gateway::authenticator::{Authenticator, LookupError, Mode, root_of};
use crate::sigv4::{ALGORITHM, ChunkKey, Refusal, SKEW_OF_S3, Style, View, parameter};
use crate::{Error, sigv2};

/// Who asks, and how the body is to be read.
pub(super) struct Proof<'a> {
    pub(super) principal: Principal,
    /// None: nobody signed.
    pub(super) access_key_id: Option<String>,
    /// The one that the signature is for.
    pub(super) region: Option<Region>,
    pub(super) payload: Payload<'a>,
    /// What signs the body's chunks, where it is known.
    pub(super) chunk_key: Option<ChunkKey>,
}

/// Identifies the caller, and proves it unless any key is accepted. `bucket` is the one that the host names.
pub(super) fn prove<'a>(
    authenticator: &dyn Authenticator,
    view: &View<'a>,
    bucket: Option<&str>,
    now: Timestamp,
) -> Result<Proof<'a>, Error> {
    match mechanism(view)? {
        Mechanism::None => Ok(Proof {
            principal: root_of(None),
            access_key_id: None,
            region: None,
            payload: Payload::of(view, None, false)?,
            chunk_key: None,
        }),
        Mechanism::Version2 => version_2::prove(authenticator, view, bucket, now),
        Mechanism::Version4 => version_4::prove(authenticator, view, now),
    }
}

/// How a request is signed.
enum Mechanism {
    None,
    Version2,
    Version4,
}

/// Refuses what is signed in another way than these by its name: also where any signature is accepted, since whom it
/// names could not be read.
fn mechanism(view: &View<'_>) -> Result<Mechanism, Error> {
    let algorithm = parameter(view.query, "X-Amz-Algorithm");
    let in_query = match (&algorithm, sigv2::is_signed(view.query, None)) {
        (None, false) => Mechanism::None,
        (None, true) => Mechanism::Version2,
        (Some(algorithm), false) if algorithm == ALGORITHM => Mechanism::Version4,
        (Some(algorithm), false) if algorithm == "AWS4-ECDSA-P256-SHA256" => return Err(version_4a()),
        (Some(_), false) => {
            return Err(fault(
                400,
                "AuthorizationQueryParametersError",
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
            ));
        }
        (Some(algorithm), true) => return Err(more_than_one("X-Amz-Algorithm", algorithm)),
    };
    let Some(header) = view.headers.get(AUTHORIZATION) else { return Ok(in_query) };
    // Only the scheme is echoed: what follows may be somebody's secret.
    let text = String::from_utf8_lossy(header.as_bytes());
    let scheme = text.split(' ').next().unwrap_or_default();
    match (in_query, scheme) {
        (Mechanism::Version2 | Mechanism::Version4, _) => Err(more_than_one("Authorization", scheme)),
        (Mechanism::None, ALGORITHM) => Ok(Mechanism::Version4),
        (Mechanism::None, "AWS") => Ok(Mechanism::Version2),
        (Mechanism::None, "AWS4-ECDSA-P256-SHA256") => Err(version_4a()),
        (Mechanism::None, _) => Err(invalid("Unsupported Authorization Type", "Authorization", scheme)),
    }
}

fn version_4a() -> Error {
    fault(
        501,
        "NotImplemented",
        "Hearth does not verify Signature Version 4A (AWS4-ECDSA-P256-SHA256); sign with AWS4-HMAC-SHA256.",
    )
}

fn more_than_one(name: &str, value: &str) -> Error {
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                   parameter or the Authorization header should be specified";
    invalid(message, name, value)
}

fn invalid(message: &str, name: &str, value: &str) -> Error {
    fault(400, "InvalidArgument", message)
        .with_field("ArgumentName", name)
        .with_field("ArgumentValue", clipped(value))
}

/// Whose a key is, and what it signs with; no secret where any signature is accepted.
fn identify(
    authenticator: &dyn Authenticator,
    access_key_id: &str,
    session_token: Option<&str>,
) -> Result<(Principal, Option<String>), Error> {
    let open = authenticator.mode() == Mode::Open;
    match (authenticator.lookup(access_key_id, session_token), open) {
        (Ok(identity), true) => Ok((identity.principal, None)),
        (Ok(identity), false) => Ok((identity.principal, Some(identity.secret_access_key))),
        (Err(LookupError::Unknown), true) => Ok((root_of(Some(access_key_id)), None)),
        (Err(LookupError::Unknown), false) => Err(unknown(access_key_id, session_token)),
        (Err(LookupError::Expired), _) => Err(unproven(&Refusal::ExpiredToken, Style::S3)),
    }
}

fn unknown(access_key_id: &str, token: Option<&str>) -> Error {
    match token {
        Some(token) => fault(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
            .with_field("Token-0", token),
        None => unproven(&Refusal::UnknownKey, Style::S3).with_field("AWSAccessKeyId", access_key_id),
    }
}

/// The client's clock is too far from ours.
fn skewed(sent: &str, now: Timestamp) -> Error {
    unproven(&Refusal::Skewed(String::new()), Style::S3)
        .with_field("RequestTime", sent)
        .with_field("ServerTime", iso(now))
        .with_field("MaxAllowedSkewMilliseconds", SKEW_OF_S3.as_millis().to_string())
}

/// A signed URL that is past its time.
fn expired(at: Timestamp, now: Timestamp) -> Error {
    fault(403, "AccessDenied", "Request has expired")
        .with_field("Expires", iso(at))
        .with_field("ServerTime", iso(now))
}

fn no_date() -> Error {
    fault(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
}

/// The signature is not the secret's: with what it should have been made of, so that the client can be mended.
fn mismatch(access_key_id: &str, signature: &str, string_to_sign: &str) -> Error {
    unproven(&Refusal::Mismatch, Style::S3)
        .with_field("AWSAccessKeyId", access_key_id)
        .with_field("StringToSign", string_to_sign)
        .with_field("SignatureProvided", signature)
        .with_field("StringToSignBytes", spelled(string_to_sign))
}

/// The bytes of a text, each in hexadecimal.
fn spelled(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// `2015-08-30T12:36:00Z`
fn iso(moment: Timestamp) -> String {
    let seconds = moment.epoch_ms().div_euclid(1000);
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

fn clipped(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}
