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
use crate::{Context, Error, Value, protocol, validate};

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
}

type Handlers = BTreeMap<&'static str, Box<dyn Call>>;
type Answer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl Service {
    /// Begins the table of a service whose handlers share `state`.
    #[expect(clippy::new_ret_no_self, reason = "the table comes first, and is what reads well")]
    pub fn new<S: Clone + Send + Sync + 'static>(model: &'static schema::Service, state: S) -> Table<S> {
        Table { model, state, handlers: Handlers::new() }
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
        match self.0.handlers.get(request.operation.name) {
            Some(handler) => handler.call(self.0.model, cx, request),
            None => {
                let response = self.refuse(&cx, &not_implemented(self.0.model, request.operation));
                Box::pin(std::future::ready(response))
            }
        }
    }

    /// Encodes an error as this service would answer with it.
    pub fn refuse(&self, cx: &Context, error: &Error) -> Response {
        protocol::encode_error(self.0.model, cx.request_id, error)
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
        Service(Arc::new(Inner { model, router: Router::new(model), handlers }))
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
    fn call<'a>(&'a self, model: &'static schema::Service, cx: Context, request: Request) -> Answer<'a>;
}

struct Bound<S, O, H> {
    state: S,
    handler: H,
    operation: std::marker::PhantomData<fn() -> O>,
}

impl<S, O, H> Call for Bound<S, O, H>
where
    S: Clone + Send + Sync,
    O: Operation,
    H: Handler<S, O>,
{
    fn call<'a>(&'a self, model: &'static schema::Service, cx: Context, request: Request) -> Answer<'a> {
        Box::pin(async move {
            let request_id = cx.request_id;
            let answer = async {
                let input = decode::<O>(model, request)?;
                self.handler.run(self.state.clone(), cx, input).await
            };
            match answer.await {
                Ok(output) => protocol::encode(model, O::MODEL, request_id, output.into_value()),
                Err(error) => protocol::encode_error(model, request_id, &error),
            }
        })
    }
}

/// Reads a request's input and checks the model's constraints on it.
fn decode<O: Operation>(model: &'static schema::Service, request: Request) -> Result<O::Input, Error> {
    let fields = protocol::decode(model, request)?;
    validate::check(model, O::Input::SHAPE, &fields)?;
    O::Input::from_value(Value::Structure(fields)).ok_or_else(|| {
        tracing::error!(
            service = model.name,
            operation = O::MODEL.name,
            "validated input does not fit its type"
        );
        Error::internal("The request could not be read.")
    })
}
