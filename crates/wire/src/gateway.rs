//! The HTTP front: one port for every service.
//!
//! A request passes, in this order: the host it names, the page it may come from, the keys it carries, the service
//! it is for, the bounds of its body, its signature; then the service decodes and answers it. What is refused on
//! the way is refused in the words of the service it was for.
//!
//! Two kinds of hosts and paths leave that order: a site ([`site`]) right after the host, and a service that reads its
//! body as it comes ([`streamed`]) before the page is judged and any of the body is read.

mod answer;
mod authenticator;
mod body;
mod browser;
mod builder;
mod caller;
mod connection;
mod hosts;
mod inflow;
mod routing;
mod site;
mod streamed;

#[cfg(test)]
mod tests;

pub use answer::{escaped as escaped_for_xml, s3_ids};
pub use authenticator::{Authenticator, Identity, LookupError, Mode, OpenToAll};
pub use builder::Builder;
pub use connection::{Origin, Peer};
pub use inflow::{Inflow, InflowError, Trailers};
pub use routing::bucket_of_host;
pub use site::{Identified, Signer, Visit};
pub use streamed::{Keys, StreamedRequest};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use domain::{Clock, Region, Scope};
use http::header::{CONTENT_ENCODING, EXPECT, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Either;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use tracing::{debug, error};
use uuid::Uuid;

use crate::schema::Protocol;
use crate::service::Request as ServiceRequest;
use crate::sigv4::{self, Claim, Hint, Refusal, View};
use crate::{Context, Error, Service};
use answer::{Dialect, Voice, fault};
use body::{BodyRefusal, Memory, Pace, Share};
use builder::RawRoute;
use caller::Caller;
use connection::Connections;
use hosts::{HostRefusal, Hosts, Place};
use routing::{Entry, Route};
use site::Site;
use streamed::Streamed;

/// A response's body: whole, as nearly all are, or a stream.
pub type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, std::io::Error>>;

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// What a raw route is told beside the request: found in the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo {
    /// The id in `x-amzn-RequestId`.
    pub request_id: Uuid,
    /// The client's address.
    pub source_ip: IpAddr,
    /// Whether the client is a function.
    pub origin: Origin,
}

/// The HTTP front of all services. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

struct Shared {
    services: Vec<Service>,
    entries: Vec<Entry<'static>>,
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
    for_host: Memory,
    for_sandboxes: Memory,
    pace: Pace,
    connections: Connections,
}

/// What the log line says of a request, filled in as it becomes known.
#[derive(Default)]
struct Trail {
    service: &'static str,
    operation: &'static str,
    /// Whether the answer carries ids of its service's own, which clients would overlook beside ours.
    identified: bool,
}

/// Whom a request is for.
enum Located<'s> {
    /// The service at this index; with the body, if it had to be read to know.
    Service(usize, Option<(Bytes, Share)>),
    /// The service that reads its bodies as they come: this one is there already.
    Streamed(&'s Streamed, body::Whole),
}

/// A request refused, and in which shape to say so.
struct Refused(Error, Voice<'static>);

impl Gateway {
    /// Begins to put a gateway together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Answers one request. Every exit carries the request id, as S3 writes it where S3 answers.
    pub async fn answer<B>(&self, request: Request<B>, peer: Peer) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (started, request_id) = (Instant::now(), Uuid::new_v4());
        let (parts, body) = request.into_parts();
        let mut body = body::Taken::new(body);
        let mut trail = Trail { service: "-", operation: "-", identified: false };
        // Such a client sends nothing before it is told to.
        let waits = parts.headers.contains_key(EXPECT);
        let mut response = match self.0.respond(parts, &mut body, peer, request_id, &mut trail).await {
            Ok(response) => response,
            Err(Refused(error, voice)) => {
                if !waits && error.status != Some(408) {
                    body::discard(&mut body, self.0.pace).await;
                }
                answer::encode(&error, voice, request_id)
            }
        };
        if !trail.identified {
            let mut text = Uuid::encode_buffer();
            let text = request_id.hyphenated().encode_lower(&mut text);
            let id = HeaderValue::from_str(text).expect("an id is hexadecimal digits and hyphens");
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        debug!(
            %request_id,
            service = trail.service,
            operation = trail.operation,
            status = response.status().as_u16(),
            duration_us = started.elapsed().as_micros(),
            "request"
        );
        response
    }
}

impl Shared {
    async fn respond<B>(
        &self,
        parts: Parts,
        incoming: &mut body::Taken<B>,
        peer: Peer,
        request_id: Uuid,
        trail: &mut Trail,
    ) -> Result<Response<Body>, Refused>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let view = View::from(&parts);
        let claim = Claim::of(&view);
        let hint = Hint::of(&claim, &view);
        let preflight = browser::preflight(&parts.method, &parts.headers);
        let mut asked = routing::Request {
            method: preflight.as_ref().unwrap_or(&parts.method),
            path: view.path,
            query: view.query,
            headers: view.headers,
            signed_for: hint.as_ref().map(|hint| hint.service.as_ref()),
            host_label: None,
            form: None,
            preflight: preflight.is_some(),
            streamed: self.streamed.as_ref().map(|streamed| streamed.name),
        };
        let guess = Voice::Guess(routing::dialect(&asked));
        let place = self.place(&parts, peer).map_err(|error| Refused(error, guess))?;
        if let Some(site) = self.site(place.label(), view.path) {
            trail.service = site.name;
            let info = RequestInfo { request_id, source_ip: peer.address, origin: peer.origin };
            let host_label = place.label().map(str::to_owned);
            let answer = self.answer_site(site, parts, incoming, host_label, info).await;
            return answer.map_err(|error| Refused(error, Voice::Guess(Dialect::RestJson)));
        }
        asked.host_label = place.label();
        let raw = self.routes.iter().find(|raw| raw.matches(view.path));
        let route = match raw {
            Some(_) if asked.host_label.is_none() => Route::Nowhere,
            _ => self.route(&asked),
        };
        // In the host of a bucket, an object may have the name of a route.
        let beneath = asked.signed_for.is_some() || routing::names_streamed(&asked);
        if let (Route::Streamed, Some(streamed)) = (&route, &self.streamed)
            && (raw.is_none() || beneath)
        {
            (trail.service, trail.identified) = (streamed.name, true);
            let host_label = place.label().map(str::to_owned);
            let body = incoming.take();
            return Ok(self.stream(streamed, parts, body, peer, host_label, request_id).await);
        }
        asked.host_label = admit(place, &parts).map_err(|error| Refused(error, guess))?;
        if let Some(raw) = raw {
            trail.service = raw.prefix;
            let info = RequestInfo { request_id, source_ip: peer.address, origin: peer.origin };
            let answer = self.answer_raw(raw, parts, incoming, info).await;
            return answer.map_err(|error| Refused(error, Voice::Guess(Dialect::RestJson)));
        }
        let located = self.locate(asked, route, incoming, peer.origin).await;
        let (index, read) = match located.map_err(|error| Refused(error, guess))? {
            Located::Service(index, read) => (index, read),
            Located::Streamed(streamed, body) => {
                (trail.service, trail.identified) = (streamed.name, true);
                let host_label = asked.host_label.map(str::to_owned);
                return Ok(self.stream(streamed, parts, body, peer, host_label, request_id).await);
            }
        };
        let service = &self.services[index];
        let model = service.model();
        trail.service = model.name;
        let protocol = model.spoken(view.headers);
        let refuse = |error| Refused(error, Voice::Service(model, protocol));
        let style = Dialect::from(protocol).style();
        let unproven = |refusal| refuse(answer::unproven(&refusal, style));

        let now = self.clock.now();
        let caller = caller::identify(&*self.authenticator, &claim, hint.as_ref(), &view, now);
        let Caller { principal, secret_access_key } = caller.map_err(unproven)?;
        let signed_region = hint.as_ref().map(|hint| hint.region.as_ref());
        let region =
            routing::region(signed_region, asked.host_label, &self.region_default).map_err(unproven)?;
        encoding(&parts.headers).map_err(refuse)?;

        // A query operation's name is in the body; the others' bounds come before theirs.
        let find = |body: &[u8]| service.route(&parts.method, view.path, view.query, &parts.headers, body);
        let early = (protocol != Protocol::Query).then(|| find(b"")).transpose().map_err(refuse)?;
        let (body, share) = match read {
            Some(read) => read,
            None => {
                let operation = early.as_ref().map(|(operation, _)| operation.name);
                let limit = self.body_limit(operation);
                let operation = operation.unwrap_or("this");
                self.read(incoming, limit, operation, peer.origin).await.map_err(refuse)?
            }
        };
        if let Some(secret) = &secret_access_key {
            let proof = match &claim {
                Ok(Some(claim)) => sigv4::verify(claim, &view, &body, secret),
                _ => Err(Refusal::MissingToken),
            };
            proof.map_err(unproven)?;
        }
        let (operation, labels) = early.map_or_else(|| find(&body), Ok).map_err(refuse)?;
        trail.operation = operation.name;

        let cx = Context {
            request_id,
            scope: Scope { account: principal.account().clone(), region },
            principal,
            access_key_id: hint.map(|hint| hint.access_key_id.into_owned()),
            base_url: Arc::clone(&self.base_url),
            headers: parts.headers.clone(),
            source_ip: peer.address,
        };
        let query = view.query.to_owned();
        let request = ServiceRequest { operation, labels, query, headers: parts.headers, body };
        let service = service.clone();
        // A task of its own: an operation that has begun runs to its end though the client hangs up, and one that
        // panics still gets an answer.
        let handled = tokio::spawn(async move {
            let answer = service.handle(cx, request).await;
            drop(share);
            answer
        });
        let mut answer = handled.await.map_err(|panic| refuse(broken(&panic)))?;
        if let crate::service::Body::Bytes(bytes) = &mut answer.body {
            *bytes = self.hold(std::mem::take(bytes), peer.origin).await.map_err(refuse)?;
        }
        Ok(answer::whole(answer))
    }

    /// Counts an answer until its client has read it: clients that never do must not fill the memory.
    async fn hold(&self, answer: Bytes, origin: Origin) -> Result<Bytes, Error> {
        self.memory(origin).answers.hold(answer, self.pace.patience).await.map_err(|_| {
            fault(503, "ServiceUnavailable", "Too many large answers wait to be read; please try again.")
        })
    }

    fn memory(&self, origin: Origin) -> &Memory {
        match origin {
            Origin::Host => &self.for_host,
            Origin::Sandbox => &self.for_sandboxes,
        }
    }

    async fn answer_raw<B>(
        &self,
        raw: &RawRoute,
        parts: Parts,
        incoming: &mut B,
        info: RequestInfo,
    ) -> Result<Response<Body>, Error>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let (body, share) = self.read(incoming, self.body_limit_default, "this", info.origin).await?;
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(info);
        let handled = tokio::spawn((raw.handler)(request)).await;
        drop(share);
        handled.map_err(|panic| broken(&panic))
    }

    async fn answer_site<B>(
        &self,
        site: &Site,
        parts: Parts,
        incoming: &mut B,
        host_label: Option<String>,
        info: RequestInfo,
    ) -> Result<Response<Body>, Error>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let (body, share) = self.read(incoming, site.body_bytes_max, site.name, info.origin).await?;
        let view = View::from(&parts);
        let signer = site::signer(&*self.authenticator, &view, &body, site.service, self.clock.now());
        let visit = Visit { request: Request::from_parts(parts, body), info, host_label, signer };
        let handled = tokio::spawn((site.handler)(visit)).await;
        drop(share);
        let mut answer = handled.map_err(|panic| broken(&panic))?;
        if let crate::service::Body::Bytes(bytes) = &mut answer.body {
            *bytes = self.hold(std::mem::take(bytes), info.origin).await?;
        }
        Ok(answer::whole(answer))
    }

    /// Finds the service that a request is for; with the body, where only that could tell.
    async fn locate<B>(
        &self,
        asked: routing::Request<'_>,
        mut route: Route,
        incoming: &mut B,
        origin: Origin,
    ) -> Result<Located<'_>, Error>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let mut read = None;
        if route == Route::AskForm {
            let whole = self.read(incoming, self.body_limit_default, "this", origin).await?;
            let form = std::str::from_utf8(&whole.0).unwrap_or_default();
            route = self.route(&routing::Request { form: Some(form), ..asked });
            read = Some(whole);
        }
        match (route, &self.streamed) {
            (Route::Service(index), _) => Ok(Located::Service(index, read)),
            (Route::Streamed, Some(streamed)) => {
                let (bytes, share) = read.unwrap_or_default();
                Ok(Located::Streamed(streamed, body::Whole::new(bytes, share)))
            }
            (Route::Absent(name), _) => {
                Err(not_implemented(format!("Hearth does not have the service '{name}' yet.")))
            }
            (Route::Streamed | Route::Nowhere | Route::AskForm, _) => Err(nowhere(&asked)),
        }
    }

    /// Which of our names a request was sent to.
    fn place<'a>(&self, parts: &'a Parts, peer: Peer) -> Result<Place<'a>, Error> {
        self.hosts.place(&parts.uri, &parts.headers, peer.local).map_err(|refusal| match refusal {
            HostRefusal::Malformed => {
                fault(400, "InvalidRequestException", "The request must name one valid host.")
            }
            HostRefusal::Foreign(name) => foreign_host(&name),
        })
    }

    fn route(&self, asked: &routing::Request<'_>) -> Route {
        routing::route(asked, &self.entries, |allowed| {
            (0..self.services.len()).filter(|index| allowed(*index)).find(|index| {
                let (model, service) = (self.services[*index].model(), &self.services[*index]);
                model.protocol == Protocol::RestJson
                    && service.route(asked.method, asked.path, asked.query, asked.headers, b"").is_ok()
            })
        })
    }

    fn body_limit(&self, operation: Option<&str>) -> usize {
        let limit = self.body_limits.iter().find(|(name, _)| Some(*name) == operation);
        limit.map_or(self.body_limit_default, |(_, bytes)| *bytes)
    }

    async fn read<B>(
        &self,
        incoming: &mut B,
        limit: usize,
        operation: &str,
        origin: Origin,
    ) -> Result<(Bytes, Share), Error>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        body::read(incoming, limit, &self.memory(origin).bodies, self.pace).await.map_err(|refusal| {
            match refusal {
                BodyRefusal::TooLarge => fault(
                    413,
                    "RequestEntityTooLargeException",
                    format!("Request must be smaller than {limit} bytes for the {operation} operation"),
                ),
                BodyRefusal::TimedOut => {
                    fault(408, "RequestTimeoutException", "The request's body arrived too slowly.")
                }
                BodyRefusal::Busy => fault(
                    503,
                    "ServiceUnavailable",
                    "Too many large requests are in flight; please try again.",
                ),
                BodyRefusal::Broken => {
                    fault(400, "InvalidRequestException", "The request's body ended early or is malformed.")
                }
            }
        })
    }
}

/// Whether a request for the API may come in at all; then what stands before our name in its host.
fn admit<'a>(place: Place<'a>, parts: &Parts) -> Result<Option<&'a str>, Error> {
    if let Some(sign) = browser::foreign_page(&parts.method, &parts.uri, &parts.headers) {
        return Err(fault(
            403,
            "AccessDeniedException",
            format!(
                "Hearth refuses requests that a web browser makes for another site's page ({sign}): a page must not \
                 be able to drive it."
            ),
        ));
    }
    match place {
        Place::Here => Ok(None),
        Place::Beneath(label) => Ok(Some(label)),
        Place::BeneathLocalhost(label) => Err(foreign_host(&format!("{label}.localhost"))),
    }
}

fn foreign_host(name: &str) -> Error {
    fault(
        403,
        "AccessDeniedException",
        format!(
            "Hearth does not answer to the host name '{name}', so that no web page can reach it under a name of its \
             own. Start it with --hostname {name} if the name is yours."
        ),
    )
}

/// Refuses bodies that are not what they seem: their bytes would be taken for the payload.
fn encoding(headers: &HeaderMap) -> Result<(), Error> {
    let chunked_signature = headers
        .get(sigv4::CONTENT_SHA256)
        .is_some_and(|declared| declared.as_bytes().starts_with(b"STREAMING-"));
    let encodings = headers
        .get_all(CONTENT_ENCODING)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    for encoding in encodings.filter(|encoding| !encoding.is_empty()) {
        if encoding.eq_ignore_ascii_case(b"aws-chunked") {
            return Err(not_implemented("Hearth does not decode bodies in the aws-chunked encoding yet."));
        }
        if !encoding.eq_ignore_ascii_case(b"identity") {
            let name = String::from_utf8_lossy(encoding);
            return Err(fault(
                415,
                "UnsupportedMediaTypeException",
                format!(
                    "Hearth does not decode request bodies in the content encoding '{name}'; send them plain."
                ),
            ));
        }
    }
    if chunked_signature {
        return Err(not_implemented("Hearth does not verify signatures of bodies in chunks yet."));
    }
    Ok(())
}

fn not_implemented(message: impl Into<String>) -> Error {
    fault(501, "NotImplemented", message)
}

fn nowhere(asked: &routing::Request<'_>) -> Error {
    let path: String = asked.path.chars().take(256).collect();
    let message = format!(
        "Hearth cannot tell which service {} {path} is for: the request has no credential scope, no X-Amz-Target, \
         no Action of a known API version, and no known path or host.",
        asked.method
    );
    match routing::dialect(asked) {
        Dialect::Query | Dialect::RestXml => fault(400, "InvalidAction", message),
        Dialect::RestJson | Dialect::AwsJson { .. } => fault(404, "UnknownOperationException", message),
    }
}

fn broken(panic: &tokio::task::JoinError) -> Error {
    error!(%panic, "a request handler failed");
    fault(500, "ServiceException", "Hearth failed to answer this request; its log says why.")
}
