//! A service that reads its bodies as they come and speaks for itself: S3, whose objects are longer than memory.
//!
//! The gateway says who asks, from where and for which host, checks the signature of what stands before the body, and
//! takes the framing off the body as it is read. Which operation it is, who may do it, and what web pages may, is the
//! service's business. [`super::routing`] says which requests are for it.

mod admit;
mod keys;
mod payload;
mod proof;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Body as _;
use tokio::sync::oneshot;
use tracing::error;
use uuid::Uuid;

pub use keys::Keys;

use super::answer::{self, Voice, fault};
use super::connection::Peer;
use super::inflow::{self, Inflow, Trailers, Unread};
use super::{Body, Shared, body};
use crate::Context;

/// A request for a streamed service: nothing of its body has been read.
pub struct StreamedRequest {
    /// As it arrived, but for the body, which comes as its client meant it.
    pub request: Request<Inflow>,
    /// Who asks, and where.
    pub context: Context,
    /// Whether nobody signed it. The context's principal is then the default account's root and means nothing.
    pub anonymous: bool,
    /// What stands before our name in the host.
    pub host_label: Option<String>,
    /// The headers behind the body, once it has been read.
    pub trailers: Trailers,
    /// What a browser said of the foreign page that it asks for, if it does.
    pub foreign_page: Option<String>,
    /// Who proves signatures that stand in the body.
    pub keys: Keys,
}

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service that reads its bodies itself.
pub(super) struct Streamed {
    /// Its name in credential scopes and in hosts.
    pub(super) name: &'static str,
    pub(super) handler: Box<dyn Fn(StreamedRequest) -> Answer + Send + Sync>,
}

impl Shared {
    /// Answers a request for the streamed service. What the service leaves unread is read and thrown away, within
    /// bounds: an answer to a client that is still sending would be lost with the reset.
    pub(super) async fn stream<B>(
        &self,
        streamed: &Streamed,
        parts: Parts,
        incoming: B,
        peer: Peer,
        host_label: Option<String>,
        request_id: Uuid,
    ) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Such a client sends nothing before it is told to.
        let waits = parts.headers.contains_key(EXPECT);
        let over_http2 = parts.version >= http::Version::HTTP_2;
        let incoming = inflow::raw(incoming);
        let resource = parts.uri.path().to_owned();
        let voice = Voice::S3 { resource: &resource };
        let empty = incoming.is_end_stream();
        let (mut answer, unread) =
            match self.admit_stream(streamed, &parts, empty, peer, host_label, request_id) {
                Ok(admitted) => {
                    let (back, mut unread) = oneshot::channel();
                    let inflow = Inflow::new(incoming, admitted.form, admitted.length, self.pace, back);
                    let request = StreamedRequest {
                        trailers: inflow.trailers(),
                        request: Request::from_parts(parts, inflow),
                        context: admitted.context,
                        anonymous: admitted.anonymous,
                        host_label: admitted.host_label,
                        foreign_page: admitted.foreign_page,
                        keys: Keys::new(Arc::clone(&self.authenticator)),
                    };
                    // A task of its own: an operation that has begun runs to its end though the client hangs up.
                    let handled = tokio::spawn((streamed.handler)(request)).await;
                    let answer = handled.unwrap_or_else(|panic| {
                        error!(%panic, "a request handler failed");
                        let message = "We encountered an internal error. Please try again.";
                        answer::encode(&fault(500, "InternalError", message), voice, request_id)
                    });
                    // Nothing is there if all was read, or if the body lives on: in the answer, perhaps.
                    (answer, unread.try_recv().ok())
                }
                Err(error) => {
                    let unread = Unread { raw: incoming, begun: false };
                    (answer::encode(&error, voice, request_id), Some(unread))
                }
            };
        // Of a body without bytes the client is not told to send it, although all is well.
        let mut never_told = waits && empty;
        if let Some(Unread { mut raw, begun }) = unread {
            if begun || !waits {
                body::discard(&mut raw, self.pace).await;
            } else {
                never_told = true;
            }
        }
        if never_told && !over_http2 {
            // The connection cannot go on, and the client must know: botocore takes the next answer on it for the rest
            // of this one, and waits for ever.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer::identify_s3(answer.headers_mut(), request_id);
        answer
    }
}
