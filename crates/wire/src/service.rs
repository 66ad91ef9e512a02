//! A service: its model, its table of handlers, and the way of one request through them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;

use crate::record::{Datum, Operation, Record};
use crate::route::{Labels, Router};
use crate::schema;
use crate::{Context, Error, Fields, Value, protocol, validate};

/// A request that was found to be for an operation of the service.
#[derive(Debug)]
pub struct Request {
    /// Which operation, as [`Service::route`] found.
    pub operation: &'static schema::Operation,
    /// The parts of the path that the operation's URI names, percent-decoded once.
    pub labels: Labels,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers, with the request id among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// All of it.
    Bytes(Bytes),
    /// Parts of it, as soon as each is there.
    Stream(UnsyncBoxBody<Bytes, std::io::Error>),
}

/// One AWS API as Hearth serves it. A cheap handle.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    model: &'static schema::Service,
    router: Router,
    handlers: Handlers,
    admission: Option<Box<Admission>>,
    guard: Option<Box<Guard>>,
}

/// Asks whether a request may be looked at now.
type Admission = dyn Fn(&Context, &'static schema::Operation) -> Result<(), Error> + Send + Sync;

/// Asks whether a request may be served. It sees what was sent, checked against the model.
type Guard = dyn Fn(&Context, &'static schema::Operation, &Fields) -> Result<(), Error> + Send + Sync;

type Handlers = BTreeMap<&'static str, Box<dyn Call>>;
type Done<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;
type Answer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl Service {
    /// Begins the table of a service whose handlers share `state`.
    #[expect(clippy::new_ret_no_self, reason = "the table comes first, and is what reads well")]
    pub fn new<S: Clone + Send + Sync + 'static>(model: &'static schema::Service, state: S) -> Table<S> {
        Table { model, state, handlers: Handlers::new() }
    }

    /// The same service, whose handlers see only the requests that the guard lets through.
    pub fn guarded(
        self,
        guard: impl Fn(&Context, &'static schema::Operation, &Fields) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::into_inner(self.0).expect("a service is guarded before it is shared");
        Self(Arc::new(Inner { guard: Some(Box::new(guard)), ..inner }))
    }

    /// The same service, which looks only at the requests that are let in: the others are not even read.
    pub fn admitting(
        self,
        admission: impl Fn(&Context, &'static schema::Operation) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::into_inner(self.0).expect("what a service admits is said before it is shared");
        Self(Arc::new(Inner { admission: Some(Box::new(admission)), ..inner }))
    }

    /// What the model says.
    pub fn model(&self) -> &'static schema::Service {
        self.0.model
    }

    /// Finds the operation that a request is for. `path` and `query` are as they were sent.
    ///
    /// For the query protocol the operation is in the form, so the body is needed.
    pub fn route(
        &self,
        method: &http::Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(&'static schema::Operation, Labels), Error> {
        self.0.router.route(method, path, query, headers, body)
    }

    /// Whether the operation has a handler.
    pub fn implements(&self, operation: &schema::Operation) -> bool {
        self.0.handlers.contains_key(operation.name)
    }

    /// Operations that have a handler, by name.
    pub fn implemented(&self) -> impl Iterator<Item = &'static str> {
        self.0.handlers.keys().copied()
    }

    /// Decodes, validates, calls the handler and encodes.
    pub fn handle(&self, cx: Context, request: Request) -> Answer<'_> {
        if let Err(error) = self.admit(&cx, request.operation) {
            return Box::pin(std::future::ready(self.refuse(&cx, &error)));
        }
        match self.0.handlers.get(request.operation.name) {
            Some(handler) => handler.call(self.0.model, self.0.guard.as_deref(), cx, request),
            None => {
                let response = self.refuse(&cx, &not_implemented(self.0.model, request.operation));
                Box::pin(std::future::ready(response))
            }
        }
    }

    /// Calls an operation from inside of the server, with its input as JSON under the model's names; the name's first
    /// letter may be of either case. Its answer is of no interest, unless it is an error.
    pub async fn call(&self, cx: Context, operation: &str, input: &serde_json::Value) -> Result<(), Error> {
        let unknown = || {
            let message = format!("Hearth does not implement {} {operation} yet.", self.0.model.name);
            Error::new("NotImplemented", message)
        };
        let found = self.0.model.operations.iter().find(|known| known.name.eq_ignore_ascii_case(operation));
        let found = found.ok_or_else(unknown)?;
        let handler = self.0.handlers.get(found.name).ok_or_else(unknown)?;
        self.admit(&cx, found)?;
        let fields = crate::by_name::read(found.input, input)?;
        handler.call_by_name(self.0.model, self.0.guard.as_deref(), cx, fields).await
    }

    fn admit(&self, cx: &Context, operation: &'static schema::Operation) -> Result<(), Error> {
        self.0.admission.as_ref().map_or(Ok(()), |admission| admission(cx, operation))
    }

    /// Encodes an error as this service would answer with it.
    pub fn refuse(&self, cx: &Context, error: &Error) -> Response {
        protocol::encode_error(self.0.model, self.0.model.spoken(&cx.headers), cx.request_id, error)
    }
}

/// What an operation of the model answers that nobody has written yet.
fn not_implemented(service: &schema::Service, operation: &schema::Operation) -> Error {
    Error::new(
        "NotImplemented",
        format!("Hearth does not implement {} {} yet.", service.name, operation.name),
    )
}

/// The table of a service in the making: one line per operation.
pub struct Table<S> {
    model: &'static schema::Service,
    state: S,
    handlers: Handlers,
}

impl<S: Clone + Send + Sync + 'static> Table<S> {
    /// Says which function serves an operation.
    pub fn on<O: Operation>(mut self, handler: impl Handler<S, O>) -> Self {
        let call =
            Bound::<S, O, _> { state: self.state.clone(), handler, operation: std::marker::PhantomData };
        self.handlers.insert(O::MODEL.name, Box::new(call));
        self
    }

    /// Closes the table.
    pub fn build(self) -> Service {
        let Self { model, handlers, state: _ } = self;
        Service(Arc::new(Inner { model, router: Router::new(model), handlers, admission: None, guard: None }))
    }
}

/// A function that serves an operation: `async fn(state, context, input) -> Result<output, Error>`.
pub trait Handler<S, O: Operation>: Send + Sync + 'static {
    /// Serves one request.
    fn run(
        &self,
        state: S,
        cx: Context,
        input: O::Input,
    ) -> impl Future<Output = Result<O::Output, Error>> + Send;
}

impl<S, O, F, R> Handler<S, O> for F
where
    O: Operation,
    F: Fn(S, Context, O::Input) -> R + Send + Sync + 'static,
    R: Future<Output = Result<O::Output, Error>> + Send,
{
    fn run(
        &self,
        state: S,
        cx: Context,
        input: O::Input,
    ) -> impl Future<Output = Result<O::Output, Error>> + Send {
        self(state, cx, input)
    }
}

/// A handler with its types forgotten.
trait Call: Send + Sync {
    fn call_by_name<'a>(
        &'a self,
        model: &'static schema::Service,
        guard: Option<&'a Guard>,
        cx: Context,
        fields: Fields,
    ) -> Done<'a>;
    fn call<'a>(
        &'a self,
        model: &'static schema::Service,
        guard: Option<&'a Guard>,
        cx: Context,
        request: Request,
    ) -> Answer<'a>;
}

struct Bound<S, O, H> {
    state: S,
    handler: H,
    operation: std::marker::PhantomData<fn() -> O>,
}

impl<S, O, H> Bound<S, O, H>
where
    S: Clone + Send + Sync,
    O: Operation,
    H: Handler<S, O>,
{
    /// Checks the model's constraints, asks the guard, calls the handler.
    async fn run(
        &self,
        model: &'static schema::Service,
        guard: Option<&Guard>,
        cx: Context,
        fields: Fields,
    ) -> Result<O::Output, Error> {
        validate::check(model, O::Input::SHAPE, &fields)?;
        if let Some(guard) = guard {
            guard(&cx, O::MODEL, &fields)?;
        }
        let input = typed::<O>(model, fields)?;
        self.handler.run(self.state.clone(), cx, input).await
    }
}

impl<S, O, H> Call for Bound<S, O, H>
where
    S: Clone + Send + Sync,
    O: Operation,
    H: Handler<S, O>,
{
    fn call_by_name<'a>(
        &'a self,
        model: &'static schema::Service,
        guard: Option<&'a Guard>,
        cx: Context,
        fields: Fields,
    ) -> Done<'a> {
        Box::pin(async move { self.run(model, guard, cx, fields).await.map(drop) })
    }

    fn call<'a>(
        &'a self,
        model: &'static schema::Service,
        guard: Option<&'a Guard>,
        cx: Context,
        request: Request,
    ) -> Answer<'a> {
        Box::pin(async move {
            let (request_id, protocol) = (cx.request_id, model.spoken(&request.headers));
            let answer = async {
                let fields = protocol::decode(model, request)?;
                self.run(model, guard, cx, fields).await
            };
            match answer.await {
                Ok(output) => protocol::encode(model, protocol, O::MODEL, request_id, output.into_value()),
                Err(error) => protocol::encode_error(model, protocol, request_id, &error),
            }
        })
    }
}

/// A request's input, which has been checked.
fn typed<O: Operation>(model: &'static schema::Service, fields: Fields) -> Result<O::Input, Error> {
    O::Input::from_value(Value::Structure(fields)).ok_or_else(|| {
        tracing::error!(
            service = model.name,
            operation = O::MODEL.name,
            "validated input does not fit its type"
        );
        Error::internal("The request could not be read.")
    })
}
