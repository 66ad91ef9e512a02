//! Whole hosts, or everything beneath a path, that are not AWS's API but somebody's web site: a function's URL.
//!
//! A site answers any method and any path, to web pages too: who may call it and from where is its own business. The
//! gateway bounds the body, says who signed the request, if anybody did, and counts the answer until it is read.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use domain::{Principal, Timestamp};
use http::Request;

use super::authenticator::{Authenticator, Mode};
use super::caller::{self, Caller};
use super::{RequestInfo, Shared};
use crate::service::Response;
use crate::sigv4::{self, Claim, Hint, Refusal, Style, View};

/// Whether a site has what stands before the gateway's name in a host, and a path.
type Claims = dyn Fn(Option<&str>, &str) -> bool + Send + Sync;
type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A request for a site.
#[derive(Debug)]
pub struct Visit {
    /// As it arrived: nothing decoded, nothing removed.
    pub request: Request<Bytes>,
    /// Its id, and where it comes from.
    pub info: RequestInfo,
    /// What stands before the gateway's name in the host: none for a site beneath a path.
    pub host_label: Option<String>,
    /// Who signed it.
    pub signer: Signer,
}

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Nobody.
    None,
    /// Somebody known; or, while no credentials are configured, whoever the key says.
    Known(Identified),
    /// The signature does not hold: AWS's status, error name and text.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's name.
        code: &'static str,
        /// The error's text.
        message: String,
    },
}

/// The holder of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Whose the key is.
    pub principal: Principal,
    /// The key.
    pub access_key_id: String,
}

/// Part of the gateway's address space.
pub(super) struct Site {
    pub(super) name: &'static str,
    pub(super) service: &'static str,
    pub(super) body_bytes_max: usize,
    pub(super) claims: Box<Claims>,
    pub(super) handler: Box<dyn Fn(Visit) -> Answer + Send + Sync>,
}

impl Shared {
    /// The site that a host and a path belong to.
    pub(super) fn site(&self, host_label: Option<&str>, path: &str) -> Option<&Site> {
        self.sites.iter().find(|site| (site.claims)(host_label, path))
    }
}

/// Who signed a request for a site: its signature must be for `service`.
pub(super) fn signer(
    authenticator: &dyn Authenticator,
    view: &View<'_>,
    body: &[u8],
    service: &str,
    now: Timestamp,
) -> Signer {
    let claim = Claim::of(view);
    if matches!(claim, Ok(None)) {
        return Signer::None;
    }
    let hint = Hint::of(&claim, view);
    prove(authenticator, &claim, hint.as_ref(), view, body, service, now).unwrap_or_else(|refusal| {
        Signer::Refused {
            status: refusal.status(Style::RestJson),
            code: refusal.code(Style::RestJson),
            message: refusal.message(Style::RestJson),
        }
    })
}

fn prove(
    authenticator: &dyn Authenticator,
    claim: &Result<Option<Claim<'_>>, Refusal>,
    hint: Option<&Hint<'_>>,
    view: &View<'_>,
    body: &[u8],
    service: &str,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let signed = claim.as_ref().map_err(Clone::clone)?.as_ref().ok_or(Refusal::MissingToken)?;
    if signed.service != service {
        return Err(Refusal::Invalid(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    let Caller { principal, secret_access_key } = caller::identify(authenticator, claim, hint, view, now)?;
    debug_assert!(authenticator.mode() == Mode::Open || secret_access_key.is_some());
    if let Some(secret) = secret_access_key {
        sigv4::verify(signed, view, body, &secret)?;
    }
    Ok(Signer::Known(Identified { principal, access_key_id: signed.access_key_id.clone().into_owned() }))
}
