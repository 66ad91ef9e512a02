//! What the tests of the handlers share.

use std::sync::Arc;

use domain::{Clock, Principal, Scope, Timestamp};
use iam::Iam;
use store::{Location, Options, Store};
use wire::Context;

use crate::Sts;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Stands at [`NOW`] and a fraction of a second, which no answer shows.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp(NOW.0 + 999)
    }
}

pub(crate) fn sts() -> Sts {
    let store = Store::open(&Options { location: Location::Ephemeral }).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Stopped);
    Sts::new(Iam::new(store, Arc::clone(&clock)), clock)
}

pub(crate) fn cx_of(principal: Principal) -> Context {
    Context {
        request_id: uuid::Uuid::nil(),
        scope: Scope { account: principal.account().clone(), ..Scope::default() },
        principal,
        access_key_id: None,
        base_url: "http://localhost:4566".into(),
        headers: http::HeaderMap::new(),
        source_ip: std::net::Ipv4Addr::LOCALHOST.into(),
    }
}
