//! Puts a gateway together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Clock, Region, SystemClock, limits};
use http::{Request, Response};

use super::authenticator::{Authenticator, OpenToAll};
use super::body::{Memory, Pace};
use super::connection::{Connections, Keeping};
use super::hosts::Hosts;
use super::site::{Site, Visit};
use super::streamed::{Streamed, StreamedRequest};
use super::{Body, Gateway, Shared};
use crate::{Response as ServiceResponse, Service};

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A prefix of paths that no service has, and who answers beneath it.
pub(super) struct RawRoute {
    pub(super) prefix: &'static str,
    pub(super) handler: Box<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
}

impl RawRoute {
    pub(super) fn matches(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Puts a [`Gateway`] together. What is not said has a sensible value.
pub struct Builder {
    services: Vec<Service>,
    routes: Vec<RawRoute>,
    sites: Vec<Site>,
    streamed: Option<Streamed>,
    authenticator: Arc<dyn Authenticator>,
    clock: Arc<dyn Clock>,
    hosts: Hosts,
    base_url: Arc<str>,
    region_default: Region,
    body_limits: Vec<(&'static str, usize)>,
    body_limit_default: usize,
    bodies_bytes_max: usize,
    pace: Pace,
    keeping: Keeping,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            routes: Vec::new(),
            sites: Vec::new(),
            streamed: None,
            authenticator: Arc::new(OpenToAll),
            clock: Arc::new(SystemClock),
            hosts: Hosts::default(),
            base_url: "http://localhost:4566".into(),
            region_default: Region::default(),
            body_limits: Vec::new(),
            body_limit_default: limits::REQUEST_BYTES,
            // Seven packages of the largest size at once, or eighty of the largest payloads.
            bodies_bytes_max: 512 * 1024 * 1024,
            pace: Pace {
                grace: Duration::from_secs(20),
                rate_bytes_per_second_min: 16 * 1024,
                patience: Duration::from_secs(5),
            },
            keeping: Keeping {
                connections_max: 4096,
                idle: Duration::from_secs(60),
                drain: Duration::from_secs(10),
            },
        }
    }
}

impl Builder {
    /// Adds a service.
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Says who holds which keys. Without it, everybody is let in.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Arc::new(authenticator);
        self
    }

    /// The clock that signatures are checked against.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A name that clients may call this gateway by, and its subdomains. May be said several times.
    pub fn hostname(mut self, name: &str) -> Self {
        self.hosts.add(name);
        self
    }

    /// The start of URLs that Hearth returns: `http://<hostname>:<port>`.
    pub fn base_url(mut self, url: impl Into<Arc<str>>) -> Self {
        self.base_url = url.into();
        self
    }

    /// The region of requests that name none.
    pub fn region_default(mut self, region: Region) -> Self {
        self.region_default = region;
        self
    }

    /// How long a request to an operation may be, where it is not [`limits::REQUEST_BYTES`].
    pub fn body_limit(mut self, operation: &'static str, bytes: usize) -> Self {
        self.body_limits.push((operation, bytes));
        self
    }

    /// The memory that the bodies of all requests in flight may hold together; as much again is for answers that are
    /// not read yet, and both once more for functions.
    pub fn bodies_bytes_max(mut self, bytes: usize) -> Self {
        self.bodies_bytes_max = bytes;
        self
    }

    /// How many connections are kept at once; beyond, new ones wait to be accepted.
    pub fn connections_max(mut self, count: usize) -> Self {
        self.keeping.connections_max = count;
        self
    }

    /// How long a connection may be idle, or take to send the head of a request.
    pub fn idle_timeout(mut self, span: Duration) -> Self {
        self.keeping.idle = span;
        self
    }

    /// How late a request's body may be before its rate must be 16 KiB a second.
    pub fn body_grace(mut self, span: Duration) -> Self {
        self.pace.grace = span;
        self
    }

    /// How long requests in flight may take after a shutdown.
    pub fn drain_deadline(mut self, span: Duration) -> Self {
        self.keeping.drain = span;
        self
    }

    /// Answers `prefix` and everything beneath it, before any service and without credentials, under the same
    /// checks of host and browser. The handler finds a [`super::RequestInfo`] in the request's extensions.
    pub fn route<H, F>(mut self, prefix: &'static str, handler: H) -> Self
    where
        H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let handler = Box::new(move |request| Box::pin(handler(request)) as Answer);
        self.routes.push(RawRoute { prefix, handler });
        // The longest prefix first.
        self.routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        self
    }

    /// Gives a part of the address space to a site: everything that `claims` says of what stands before our name in
    /// the host, if anything does, and of the path. It comes before any route and service, and the browser's
    /// protection does not hold there. Signatures are for `service`; bodies have up to `body_bytes_max`.
    pub fn site<C, H, F>(
        mut self,
        name: &'static str,
        service: &'static str,
        body_bytes_max: usize,
        claims: C,
        handler: H,
    ) -> Self
    where
        C: Fn(Option<&str>, &str) -> bool + Send + Sync + 'static,
        H: Fn(Visit) -> F + Send + Sync + 'static,
        F: Future<Output = ServiceResponse> + Send + 'static,
    {
        self.sites.push(Site {
            name,
            service,
            body_bytes_max,
            claims: Box::new(claims),
            handler: Box::new(move |visit| Box::pin(handler(visit))),
        });
        self
    }

    /// Has a service that reads its bodies as they come: all that is signed for `name`, and what nobody signed and nobody
    /// else claims. The browser's protection is its own business.
    pub fn streamed<H, F>(mut self, name: &'static str, handler: H) -> Self
    where
        H: Fn(StreamedRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        self.streamed = Some(Streamed { name, handler: Box::new(move |request| Box::pin(handler(request))) });
        self
    }

    /// The gateway.
    pub fn build(self) -> Gateway {
        let entries = self.services.iter().map(|service| service.model().into()).collect();
        Gateway(Arc::new(Shared {
            services: self.services,
            entries,
            routes: self.routes,
            sites: self.sites,
            streamed: self.streamed,
            authenticator: self.authenticator,
            clock: self.clock,
            hosts: self.hosts,
            base_url: self.base_url,
            region_default: self.region_default,
            body_limits: self.body_limits,
            body_limit_default: self.body_limit_default,
            for_host: Memory::new(self.bodies_bytes_max),
            for_sandboxes: Memory::new(self.bodies_bytes_max),
            pace: self.pace,
            connections: Connections::new(self.keeping),
        }))
    }
}
