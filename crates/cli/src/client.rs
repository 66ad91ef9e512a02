//! A small client of Hearth's own API for the commands below: signed requests, clear errors.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use domain::{Clock as _, SystemClock};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

/// Where the server is, and as whom to call it.
pub struct Target {
    /// `http://127.0.0.1:4566`
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The caller's key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl Target {
    /// The variables that the AWS CLI and the SDKs read; without credentials the operator's own, then dummy ones.
    pub fn from_environment() -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let endpoint = variable("AWS_ENDPOINT_URL").unwrap_or_else(|| {
            format!(
                "http://{}",
                variable("HEARTH_LISTEN").unwrap_or_else(|| server::Config::LISTEN_DEFAULT.to_string())
            )
        });
        let given = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let (access_key_id, secret_access_key) = given.unwrap_or_else(|| {
            let operator = crate::settings::data_dir()
                .and_then(|dir| crate::root_key::read(&crate::root_key::path(&dir)));
            operator
                .map(|key| (key.access_key_id, key.secret_access_key))
                .unwrap_or_else(|_| ("test".to_owned(), "test".to_owned()))
        });
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            region: region.unwrap_or_else(|| domain::Region::DEFAULT.to_owned()),
            access_key_id,
            secret_access_key,
        })
    }
}

/// The server's refusal of a call.
#[derive(Debug)]
pub struct Refused {
    code: Option<String>,
    text: String,
    /// When the same may be asked again, if the caller was only too fast.
    retry_after: Option<Duration>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// The answer, or none if it was refused with this code.
    pub fn unless<T>(answer: anyhow::Result<T>, code: &str) -> anyhow::Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.downcast_ref::<Self>().is_some_and(|refused| refused.has(code)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has(&self, code: &str) -> bool {
        self.code.as_deref().is_some_and(|said| said.split(':').next() == Some(code))
    }
}

/// Makes calls, one at a time.
pub struct Client {
    target: Target,
    runtime: tokio::runtime::Runtime,
}

/// What the server said, when it is a success.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    headers: http::HeaderMap,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the server's answer is not JSON")
    }
}

impl Client {
    /// A client of the server that the environment names.
    pub fn from_environment() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { target: Target::from_environment()?, runtime })
    }

    /// The region of every call.
    pub fn region(&self) -> &str {
        &self.target.region
    }

    /// The account, where the key's id is one.
    pub fn account(&self) -> Option<&str> {
        let id = self.target.access_key_id.as_str();
        (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
    }

    /// A call of the Lambda API.
    pub fn lambda(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send("lambda", request.body(Bytes::from(body))?)
    }

    /// A call of one of Hearth's own paths, whose answers are JSON.
    pub fn hearth(&self, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let request = http::Request::builder().method(method).uri(path).body(Bytes::from(body))?;
        self.send("hearth", request)?.json()
    }

    /// A call of a service that speaks aws-json 1.1.
    pub fn json(&self, service: &str, operation: &str, input: &Value) -> anyhow::Result<Value> {
        let request = http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", operation)
            .body(Bytes::from(serde_json::to_vec(input)?))?;
        let answer = self.send(service, request)?;
        // An operation that has nothing to say answers with nothing.
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }

    /// A call of IAM, which answers in XML.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            form.push_str(&format!("&{name}={}", percent_encode(value)));
        }
        let request = http::Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form))?;
        Ok(String::from_utf8_lossy(&self.send("iam", request)?.body).into_owned())
    }

    /// Waits between two questions.
    pub fn pause(&self, span: Duration) {
        // Made inside: a timer needs the runtime it belongs to.
        self.runtime.block_on(async { tokio::time::sleep(span).await });
    }

    /// Asks again, as the SDKs do, where the operator keeps to AWS's rates.
    fn send(&self, service: &str, request: http::Request<Bytes>) -> anyhow::Result<Answer> {
        const ATTEMPTS: usize = 5;
        let mut last = self.send_once(service, request.clone());
        for _ in 1..ATTEMPTS {
            let refused = last.as_ref().err().and_then(|error| error.downcast_ref::<Refused>());
            let Some(span) = refused.and_then(|refused| refused.retry_after) else { break };
            self.pause(span);
            last = self.send_once(service, request.clone());
        }
        last
    }

    fn send_once(&self, service: &str, request: http::Request<Bytes>) -> anyhow::Result<Answer> {
        let (mut parts, body) = request.into_parts();
        let address = self.target.endpoint.strip_prefix("http://").with_context(|| {
            format!(
                "AWS_ENDPOINT_URL is {}; hearth's own commands speak http://HOST:PORT",
                self.target.endpoint
            )
        })?;
        parts.headers.insert(http::header::HOST, address.parse().context("the endpoint is not a host name")?);
        let signer = wire::sigv4::Signer {
            access_key_id: &self.target.access_key_id,
            secret_access_key: &self.target.secret_access_key,
            session_token: None,
            region: &self.target.region,
            service,
        };
        signer.sign(&mut parts, &body, SystemClock.now());
        self.runtime.block_on(exchange(address, http::Request::from_parts(parts, body)))
    }
}

async fn exchange(address: &str, request: http::Request<Bytes>) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await.with_context(|| {
        format!(
            "no server answers at {address}. Start one with `hearth up`, or say where it is with \
             AWS_ENDPOINT_URL=http://HOST:PORT"
        )
    })?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await.context("the server hung up")?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("the server hung up in the middle of its answer")?.to_bytes();
    drop(sender);
    driver.await??;
    if !head.status.is_success() {
        return Err(refusal(head.status, &head.headers, &body).into());
    }
    Ok(Answer { status: head.status.as_u16(), body, headers: head.headers })
}

fn refusal(status: http::StatusCode, headers: &http::HeaderMap, body: &[u8]) -> Refused {
    let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let in_xml = |element: &str| {
        let (_, rest) = body.split_once(&format!("<{element}>"))?;
        rest.split_once(&format!("</{element}>")).map(|(text, _)| text.to_owned())
    };
    let in_json = |member: &str| json[member].as_str().map(str::to_owned);
    let in_header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let code = in_header.or_else(|| in_json("__type")).or_else(|| in_xml("Code"));
    let message = in_json("message").or_else(|| in_json("Message")).or_else(|| in_xml("Message"));
    let text = match (&code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, Some(message)) => message,
        (None, None) => format!("the server answered {status}: {body}"),
    };
    // What else is throttled is an invocation, which whoever runs it wants to see.
    let is_too_fast = json["Reason"] == "CallerRateLimitExceeded";
    let seconds = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Refused { code, text, retry_after: seconds.filter(|_| is_too_fast).map(Duration::from_secs) }
}

/// Encodes text for a path segment or a query value.
pub fn percent_encode(text: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, UNRESERVED).to_string()
}
