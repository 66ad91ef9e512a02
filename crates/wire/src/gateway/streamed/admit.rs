//! Lets a request in, by what stands before its body.

use std::sync::Arc;

use domain::Scope;
use http::request::Parts;
use uuid::Uuid;

use super::Streamed;
use super::proof::{self, Proof};
use crate::gateway::connection::Peer;
use crate::gateway::inflow::Form;
use crate::gateway::{Shared, browser, routing};
use crate::sigv4::View;
use crate::{Context, Error};

/// A request that may come in.
pub(super) struct Admitted {
    pub(super) context: Context,
    pub(super) anonymous: bool,
    pub(super) host_label: Option<String>,
    pub(super) foreign_page: Option<String>,
    pub(super) form: Form,
    pub(super) length: Option<u64>,
}

impl Shared {
    /// `empty` says that no body will come.
    pub(super) fn admit_stream(
        &self,
        streamed: &Streamed,
        parts: &Parts,
        empty: bool,
        peer: Peer,
        host_label: Option<String>,
        request_id: Uuid,
    ) -> Result<Admitted, Error> {
        let view = View::from(parts);
        let bucket = host_label.as_deref().and_then(routing::bucket_of_host);
        let Proof { principal, access_key_id, region, payload, chunk_key } =
            proof::prove(&*self.authenticator, &view, bucket, self.clock.now())?;
        let (form, length) = payload.form(parts, empty, || chunk_key)?;
        let in_host = host_label.as_deref().and_then(|label| routing::region_of_host(label, streamed.name));
        let region = region.or(in_host).unwrap_or_else(|| self.region_default.clone());
        let context = Context {
            request_id,
            scope: Scope { account: principal.account().clone(), region },
            principal,
            base_url: Arc::clone(&self.base_url),
            headers: parts.headers.clone(),
            source_ip: peer.address,
            access_key_id,
        };
        let anonymous = context.access_key_id.is_none();
        let foreign_page = browser::foreign_page(&parts.method, &parts.uri, &parts.headers);
        Ok(Admitted { context, anonymous, host_label, foreign_page, form, length })
    }
}
