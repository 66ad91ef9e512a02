//! Who asks, and where.

use std::net::IpAddr;
use std::sync::Arc;

use domain::{Principal, Scope};
use http::HeaderMap;
use uuid::Uuid;

/// What a handler knows about the request besides its input.
#[derive(Clone, Debug)]
pub struct Context {
    /// The id that the answer carries in `x-amzn-RequestId`.
    pub request_id: Uuid,
    /// The account and region that the request is about.
    pub scope: Scope,
    /// The identity behind it.
    pub principal: Principal,
    /// The key it was signed with.
    pub access_key_id: Option<String>,
    /// `http://<hostname>:<port>`, for URLs in answers.
    pub base_url: Arc<str>,
    /// Every header, for the few that the model does not name.
    pub headers: HeaderMap,
    /// The peer's address.
    pub source_ip: IpAddr,
}
