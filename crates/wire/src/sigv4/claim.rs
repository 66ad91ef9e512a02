//! What a request says about who signed it, before anybody checks.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use http::header::{AUTHORIZATION, DATE};
use percent_encoding::percent_decode_str;

use super::canonical::is_canonical_name;
use super::chunk_key::ChunkKey;
use super::{ALGORITHM, CONTENT_SHA256, Refusal, TERMINATOR, UNSIGNED_PAYLOAD, View, canonical, key, time};

/// How long a pre-signed URL of a service other than S3 holds when it does not say.
const EXPIRES_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// The longest life of a pre-signed URL.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
const EXPIRES_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An identity claimed by a request and the signature that is to prove it.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// `AKIA…`, `ASIA…`, or whatever the user typed.
    pub access_key_id: Cow<'a, str>,
    /// The credential scope's day, `20150830`.
    pub date: Cow<'a, str>,
    /// The credential scope's region.
    pub region: Cow<'a, str>,
    /// The credential scope's service, by its signing name.
    pub service: Cow<'a, str>,
    /// The session token of temporary credentials.
    pub session_token: Option<Cow<'a, str>>,
    /// When the request was signed.
    pub signed_at: Timestamp,
    /// Where the claim stood.
    pub form: Form,
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
}

/// Where a claim stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a pre-signed URL, which holds for this long.
    Query {
        /// From the moment of signing.
        expires: Duration,
    },
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request: `None` when it makes none.
    pub fn of(view: &View<'a>) -> Result<Option<Self>, Refusal> {
        if let Some(value) = view.headers.get(AUTHORIZATION) {
            let text = value.to_str().map_err(|_| {
                Refusal::Incomplete(
                    "The Authorization header has characters other than visible ASCII.".into(),
                )
            })?;
            return Self::in_header(text, view).map(Some);
        }
        if parameter(view.query, "X-Amz-Algorithm").is_some() {
            return Self::in_query(view).map(Some);
        }
        Ok(None)
    }

    fn in_header(text: &'a str, view: &View<'a>) -> Result<Self, Refusal> {
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != ALGORITHM {
            return Err(unsupported(algorithm));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for pair in rest.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                let digest = STANDARD.encode(key::sha256(pair.as_bytes()));
                return Err(Refusal::Incomplete(format!(
                    "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and \
                     encoded with Base64): '{digest}'."
                )));
            };
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                "Signature" => signature = Some(value),
                // AWS ignores what it does not know.
                _ => {}
            }
        }
        let stamp = stamp(view);
        let (Some(credential), Some(signed_headers), Some(signature), Some(_)) =
            (credential, signed_headers, signature, stamp)
        else {
            let mut missing = String::new();
            for (name, found) in
                [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)]
            {
                if found.is_none() {
                    missing += &format!("Authorization header requires '{name}' parameter. ");
                }
            }
            if stamp.is_none() {
                missing +=
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
            }
            return Err(Refusal::Incomplete(missing.trim_end().into()));
        };
        let signed_at = stamp.and_then(|(text, parse)| parse(text)).ok_or_else(|| {
            Refusal::Incomplete(
                "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601".into(),
            )
        })?;
        let session_token = view.header("x-amz-security-token").map(Cow::Borrowed);
        Self::assemble(Parts {
            credential: credential.into(),
            signed_headers: signed_headers.into(),
            signature: signature.into(),
            session_token,
            signed_at,
            form: Form::Header,
        })
    }

    fn in_query(view: &View<'a>) -> Result<Self, Refusal> {
        let algorithm = parameter(view.query, "X-Amz-Algorithm").unwrap_or_default();
        if algorithm != ALGORITHM {
            return Err(unsupported(&algorithm));
        }
        let require = |name: &str| {
            parameter(view.query, name).ok_or_else(|| {
                Refusal::Incomplete(format!(
                    "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                ))
            })
        };
        let (credential, signature) = (require("X-Amz-Credential")?, require("X-Amz-Signature")?);
        let (signed_headers, date) = (require("X-Amz-SignedHeaders")?, require("X-Amz-Date")?);
        let signed_at = time::parse_basic(&date).ok_or_else(|| {
            Refusal::Incomplete(format!(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", got '{date}'."
            ))
        })?;
        let expires = match parameter(view.query, "X-Amz-Expires") {
            None => EXPIRES_DEFAULT,
            Some(text) => expires(&text)?,
        };
        let session_token = parameter(view.query, "X-Amz-Security-Token");
        let form = Form::Query { expires };
        Self::assemble(Parts { credential, signed_headers, signature, session_token, signed_at, form })
    }

    fn assemble(parts: Parts<'a>) -> Result<Self, Refusal> {
        let Parts { credential, signed_headers, signature, session_token, signed_at, form } = parts;
        let [access_key_id, date, region, service] = elements(credential)?;
        if !signed_headers.split(';').all(is_canonical_name) {
            return Err(Refusal::Incomplete(format!(
                "SignedHeaders must be lower-case header names separated by ';', got '{signed_headers}'."
            )));
        }
        Ok(Self {
            access_key_id,
            date,
            region,
            service,
            session_token,
            signed_at,
            form,
            signed_headers,
            signature,
        })
    }

    /// What the request says that its canonical form has in the place of the body.
    pub fn declared_payload(&self, view: &View<'a>) -> Option<Cow<'a, str>> {
        match (view.header(CONTENT_SHA256), self.form) {
            (None, Form::Query { .. }) => parameter(view.query, "X-Amz-Content-Sha256"),
            (header, _) => header.map(Cow::Borrowed),
        }
    }

    /// The signature, as it was sent.
    pub(crate) fn signature(&self) -> &str {
        &self.signature
    }

    /// What the signatures of this request's chunks are made with, if its secret is this.
    pub fn chunk_key(&self, secret: &str) -> ChunkKey {
        let (date, region, service) = (&self.date, &self.region, &self.service);
        ChunkKey::new(
            key::signing_key(secret, date, region, service),
            &time::format_basic(self.signed_at),
            &format!("{date}/{region}/{service}/{TERMINATOR}"),
            self.signature.clone().into_owned(),
        )
    }

    /// The canonical request's line for the body, which is given by its digest. `None`: the body is not the one
    /// that was declared.
    pub(super) fn payload_line(&self, view: &View<'a>, body: &[u8]) -> Option<Cow<'a, str>> {
        let declared = self.declared_payload(view);
        let presigned = matches!(self.form, Form::Query { .. });
        match declared {
            Some(declared) if declared == UNSIGNED_PAYLOAD => Some(declared),
            Some(declared) => (declared == key::hex(&key::sha256(body))).then_some(declared),
            None if presigned && canonical::is_s3(&self.service) => Some(UNSIGNED_PAYLOAD.into()),
            None => Some(key::hex(&key::sha256(body)).into()),
        }
    }
}

/// Whom and what a request is for, as far as its credential scope can be read: also when the rest of the claim is
/// missing or wrong, as in a hand-typed `Authorization` header. It routes and labels; it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint<'a> {
    /// The access key id.
    pub access_key_id: Cow<'a, str>,
    /// The region.
    pub region: Cow<'a, str>,
    /// The service, by its signing name.
    pub service: Cow<'a, str>,
}

impl<'a> Hint<'a> {
    /// The credential scope of a request, if it has one at all: its claim's, so that what is verified is what is
    /// routed, and otherwise what looks like one.
    pub fn of(claim: &Result<Option<Claim<'a>>, Refusal>, view: &View<'a>) -> Option<Self> {
        if let Ok(claim) = claim {
            let Claim { access_key_id, region, service, .. } = claim.clone()?;
            return Some(Self { access_key_id, region, service });
        }
        let credential = match view.header(AUTHORIZATION.as_str()) {
            Some(text) => {
                let start = text.find("Credential=")? + "Credential=".len();
                Cow::Borrowed(text[start..].split([',', ' ']).next()?)
            }
            None => parameter(view.query, "X-Amz-Credential")?,
        };
        let [access_key_id, _, region, service] = elements(credential).ok()?;
        Some(Self { access_key_id, region, service })
    }
}

/// What both forms of a claim give.
struct Parts<'a> {
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    signed_at: Timestamp,
    form: Form,
}

/// The access key id, the day, the region and the service.
fn elements(credential: Cow<'_, str>) -> Result<[Cow<'_, str>; 4], Refusal> {
    fn split(text: &str) -> Result<[&str; 4], Refusal> {
        let mut pieces = text.split('/');
        let mut next = || pieces.next();
        match (next(), next(), next(), next(), next(), next()) {
            (Some(id), Some(date), Some(region), Some(service), Some(TERMINATOR), None) => {
                Ok([id, date, region, service])
            }
            (Some(_), Some(_), Some(_), Some(_), Some(other), None) => Err(Refusal::Invalid(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{other}'."
            ))),
            _ => Err(Refusal::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{text}'."
            ))),
        }
    }
    match credential {
        Cow::Borrowed(text) => split(text).map(|elements| elements.map(Cow::Borrowed)),
        Cow::Owned(text) => {
            split(&text).map(|elements| elements.map(|element| Cow::Owned(element.to_owned())))
        }
    }
}

type Stamp<'a> = (&'a str, fn(&str) -> Option<Timestamp>);

fn stamp<'a>(view: &View<'a>) -> Option<Stamp<'a>> {
    let amz_date = view.header("x-amz-date").map(|text| (text, time::parse_basic as fn(&str) -> _));
    amz_date
        .or_else(|| view.header(DATE.as_str()).map(|text| (text, time::parse_date_header as fn(&str) -> _)))
}

fn expires(text: &str) -> Result<Duration, Refusal> {
    if text.strip_prefix('-').is_some_and(|digits| digits.parse::<u64>().is_ok()) {
        return Err(Refusal::Incomplete("X-Amz-Expires must be non-negative".into()));
    }
    let seconds: u64 =
        text.parse().map_err(|_| Refusal::Incomplete("X-Amz-Expires should be a number".into()))?;
    if seconds > EXPIRES_MAX.as_secs() {
        return Err(Refusal::Incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
             than 604800 seconds"
                .into(),
        ));
    }
    Ok(Duration::from_secs(seconds))
}

fn unsupported(algorithm: &str) -> Refusal {
    // Only a name is echoed: a token of another scheme is nobody's business.
    let name: String = algorithm.chars().take(32).collect();
    Refusal::Incomplete(format!("Unsupported AWS 'algorithm': '{name}'."))
}

/// A query parameter's value, decoded.
pub(crate) fn parameter<'a>(query: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
}
