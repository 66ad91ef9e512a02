//! Delivering to a web server.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html>

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::SendError;
use super::attempt::{Attempt, envelope};
use crate::Sns;
use crate::delivery_policy::Document;
use crate::parcel::{Content, Parcel};

/// How long an endpoint may take.  <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html>
const TIMEOUT: Duration = Duration::from_secs(15);
const CONTENT_TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");
const AGENT: HeaderValue = HeaderValue::from_static("Amazon Simple Notification Service Agent");

/// The client for all web servers.
#[derive(Clone)]
pub(crate) struct Web(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Web {
    /// A client that trusts the authorities that this machine trusts.
    pub(crate) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new();
        let connector = match connector.with_native_roots() {
            Ok(connector) => connector,
            Err(error) => {
                tracing::warn!(%error, "no certificate authorities found: messages to https endpoints will fail");
                let none = rustls::RootCertStore::empty();
                let tls = rustls::ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
                hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls)
            }
        };
        Self(
            Client::builder(TokioExecutor::new())
                .build(connector.https_or_http().enable_http1().wrap_connector(tcp)),
        )
    }
}

pub(super) async fn deliver(sns: &Sns, parcel: &Parcel) -> Attempt {
    let request = match request(sns, parcel).await {
        Ok(request) => request,
        Err(SendError::Temporary(why)) => return Attempt::Failed(why),
        Err(SendError::Permanent(why)) => return Attempt::Hopeless(why),
    };
    match tokio::time::timeout(TIMEOUT, sns.web.0.request(request)).await {
        Err(_) => Attempt::Failed(format!("no answer within {TIMEOUT:?}")),
        Ok(Err(error)) => Attempt::Failed(format!("{}: {error}", parcel.endpoint)),
        Ok(Ok(answer)) => verdict(answer.status()),
    }
}

/// Client errors are permanent, but for those that ask for patience.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
fn verdict(status: StatusCode) -> Attempt {
    if status.is_success() {
        return Attempt::Delivered;
    }
    let why = format!("the endpoint answered {status}");
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return Attempt::Hopeless(why);
    }
    Attempt::Failed(why)
}

async fn request(sns: &Sns, parcel: &Parcel) -> Result<Request<Full<Bytes>>, SendError> {
    let permanent = |error: &dyn std::fmt::Display| SendError::Permanent(error.to_string());
    let (kind, is_raw, body) = match &parcel.content {
        Content::Notification { message, raw: true, .. } => ("Notification", true, message.clone()),
        Content::Notification { .. } => ("Notification", false, envelope(sns, parcel).await?),
        Content::Confirmation { .. } => ("SubscriptionConfirmation", false, envelope(sns, parcel).await?),
    };
    let policy = Document::effective(parcel.topic_policy.as_deref(), parcel.subscription_policy.as_deref());
    let content_type = policy.content_type.and_then(|text| HeaderValue::from_str(&text).ok());
    let mut request = Request::post(&parcel.endpoint)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, content_type.unwrap_or(CONTENT_TYPE_DEFAULT))
        .header("x-amz-sns-message-type", kind)
        .header("x-amz-sns-message-id", parcel.message_id.to_string())
        .header("x-amz-sns-topic-arn", &parcel.topic);
    if kind == "Notification" {
        request = request.header("x-amz-sns-subscription-arn", &parcel.subscription);
    }
    if is_raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    if let Some((name_and_password, _)) =
        parcel.endpoint.split_once("://").and_then(|(_, rest)| rest.split_once('@'))
        && !name_and_password.contains('/')
    {
        request = request.header(http::header::AUTHORIZATION, basic(name_and_password));
    }
    request.body(Full::new(Bytes::from(body))).map_err(|error| permanent(&error))
}

/// Credentials in a URL are sent as they are meant.
fn basic(name_and_password: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(name_and_password).collect::<Vec<u8>>();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, decoded);
    format!("Basic {encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_errors_are_final_and_others_are_not() {
        let of = |status: u16| verdict(StatusCode::from_u16(status).unwrap());
        assert!(matches!(of(204), Attempt::Delivered));
        for status in [429, 500, 503, 302] {
            assert!(matches!(of(status), Attempt::Failed(_)), "{status}");
        }
        for status in [400, 403, 404, 410] {
            assert!(matches!(of(status), Attempt::Hopeless(_)), "{status}");
        }
    }

    #[test]
    fn credentials_in_a_url_become_a_header() {
        assert_eq!(basic("me:p%40ss"), "Basic bWU6cEBzcw==");
    }
}
