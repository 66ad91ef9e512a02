//! What the tests of the handlers share: an IAM in memory, and callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::{Clock, Principal, Scope, Timestamp};
use store::{Location, Options, Store};
use wire::{Context, Error};

use crate::Iam;

/// A clock that moves a second and a bit at every look, so that moments differ.
#[derive(Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000 + 1_001 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

pub(crate) fn iam() -> Iam {
    let store = Store::open(&Options { location: Location::Ephemeral }).unwrap();
    Iam::new(store, Arc::new(Ticks::default()))
}

pub(crate) fn cx() -> Context {
    cx_of(Principal::Root(Scope::default().account))
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

#[track_caller]
pub(crate) fn check_error<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

pub(crate) const TRUST_LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub(crate) const ALLOW_S3: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
