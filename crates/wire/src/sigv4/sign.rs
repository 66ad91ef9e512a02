//! Signs requests and URLs, as an AWS SDK does.

use std::borrow::Cow;
use std::time::Duration;

use domain::Timestamp;
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::verify::signature;
use super::{ALGORITHM, Claim, Form, TERMINATOR, UNSIGNED_PAYLOAD, View, canonical, key, time};

const IN_QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Headers that a proxy or the HTTP library may change on the way.
const NEVER_SIGNED: [&str; 6] =
    ["authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// Somebody's keys, for one region and service.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// `AKIA…` or `ASIA…`
    pub access_key_id: &'a str,
    /// The secret.
    pub secret_access_key: &'a str,
    /// The session token, with temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region.
    pub region: &'a str,
    /// The service, by its signing name.
    pub service: &'a str,
}

impl Signer<'_> {
    /// Signs all the headers and the body: adds `x-amz-date`, the session token and `Authorization`. The host is
    /// taken from `Host`, which is added when only the URI has it.
    ///
    /// # Panics
    /// When the keys have characters that no header can carry.
    pub fn sign(&self, parts: &mut Parts, body: &[u8], now: Timestamp) {
        self.sign_with(parts, now, |claim, view| {
            claim.payload_line(view, body).expect("a declared digest is the body's own")
        });
    }

    /// The same for a body that is not there yet: what `x-amz-content-sha256` says stands for it.
    ///
    /// # Panics
    /// When the keys have characters that no header can carry.
    pub fn sign_declared(&self, parts: &mut Parts, now: Timestamp) {
        self.sign_with(parts, now, |claim, view| {
            claim.declared_payload(view).unwrap_or(UNSIGNED_PAYLOAD.into())
        });
    }

    fn sign_with(
        &self,
        parts: &mut Parts,
        now: Timestamp,
        payload: impl for<'v> FnOnce(&Claim<'v>, &View<'v>) -> Cow<'v, str>,
    ) {
        let header = |text: &str| HeaderValue::from_str(text).expect("keys and dates are visible ASCII");
        if let (None, Some(authority)) = (parts.headers.get(HOST), parts.uri.authority()) {
            parts.headers.insert(HOST, header(authority.as_str()));
        }
        parts.headers.insert("x-amz-date", header(&time::format_basic(now)));
        if let Some(token) = self.session_token {
            parts.headers.insert("x-amz-security-token", header(token));
        }
        let claim = self.claim(signed_headers(&parts.headers), now, Form::Header);
        let view = View::from(&*parts);
        let payload = payload(&claim, &view);
        let signature =
            signature(&claim, &view, &payload, self.secret_access_key).expect("signed headers are there");
        let authorization = format!(
            "{ALGORITHM} Credential={}, SignedHeaders={}, Signature={signature}",
            self.credential(&claim),
            claim.signed_headers
        );
        parts.headers.insert(AUTHORIZATION, header(&authorization));
    }

    /// A URL that carries its signature and holds for `expires`: for `GET` without a body, or for any body of S3.
    pub fn presign(
        &self,
        method: &http::Method,
        url: &Uri,
        expires: Duration,
        now: Timestamp,
    ) -> Result<Uri, InvalidUri> {
        let claim = self.claim("host".into(), now, Form::Query { expires });
        let credential = self.credential(&claim);
        let (amz_date, seconds) = (time::format_basic(now), expires.as_secs().to_string());
        let mut query = url.query().map(|query| format!("{query}&")).unwrap_or_default();
        let added = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &amz_date),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", "host"),
        ];
        let token = self.session_token.map(|token| ("X-Amz-Security-Token", token));
        for (name, value) in added.into_iter().chain(token) {
            query += &format!("{name}={}&", utf8_percent_encode(value, &IN_QUERY));
        }
        query.pop();
        let view = View {
            method: method.as_str(),
            path: url.path(),
            query: &query,
            headers: &HeaderMap::new(),
            authority: url.authority().map(http::uri::Authority::as_str),
        };
        let payload: Cow<'_, str> = if canonical::is_s3(self.service) {
            UNSIGNED_PAYLOAD.into()
        } else {
            key::hex(&key::sha256(b"")).into()
        };
        let signature = signature(&claim, &view, &payload, self.secret_access_key).unwrap_or_default();
        let scheme = url.scheme_str().unwrap_or("http");
        let authority = view.authority.unwrap_or_default();
        format!("{scheme}://{authority}{}?{query}&X-Amz-Signature={signature}", url.path()).parse()
    }

    fn claim<'b>(&'b self, signed_headers: Cow<'b, str>, now: Timestamp, form: Form) -> Claim<'b> {
        Claim {
            access_key_id: self.access_key_id.into(),
            date: time::format_basic(now)[..8].to_owned().into(),
            region: self.region.into(),
            service: self.service.into(),
            session_token: self.session_token.map(Into::into),
            signed_at: now,
            form,
            signed_headers,
            signature: "".into(),
        }
    }

    fn credential(&self, claim: &Claim<'_>) -> String {
        format!("{}/{}/{}/{}/{TERMINATOR}", self.access_key_id, claim.date, self.region, self.service)
    }
}

fn signed_headers(headers: &HeaderMap) -> Cow<'static, str> {
    let mut names: Vec<&str> =
        headers.keys().map(HeaderName::as_str).filter(|name| !NEVER_SIGNED.contains(name)).collect();
    names.sort_unstable();
    names.join(";").into()
}
