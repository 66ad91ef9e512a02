//! The engine against a runtime inside the test's own process.

mod extensions;
mod fuzz;
mod lifecycle;
mod logs;
mod placement;
mod provisioning;
mod runtime_api;
mod snap_start;
mod soak;
mod streaming;
mod telemetry;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Credentials, FunctionVersion, LogLine, Timestamp};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::isolation::Exit;
use crate::isolation::fake::{Fake, Inside, version};
use crate::{Engine, Invocation, InvokeError, Limits, Options, Outcome};

/// An engine with a fake runtime, and everything it logs.
struct Fixture {
    engine: Engine,
    fake: Fake,
    version: Arc<FunctionVersion>,
    logs: mpsc::Receiver<LogLine>,
}

impl Fixture {
    fn start(fake: Fake) -> Self {
        Self::configured(fake, version("f"), Limits::default())
    }

    fn configured(fake: Fake, version: FunctionVersion, limits: Limits) -> Self {
        let (sender, logs) = mpsc::channel(100_000);
        let credentials = Arc::new(|_: &FunctionVersion| Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
            expiration: Timestamp(0),
        });
        let mut options = Options::new(Arc::new(fake.clone()), sender, credentials);
        // On a busy machine a fake runtime may be slow to come back; what is tested does not depend on it.
        options.limits = Limits { release_grace: Duration::from_secs(60), ..limits };
        Self { engine: Engine::start(options), fake, version: Arc::new(version), logs }
    }

    fn invocation(&self, payload: &str) -> Invocation {
        Invocation {
            version: Arc::clone(&self.version),
            request_id: Uuid::new_v4(),
            invoked_arn: self.version.function_arn(),
            payload: Bytes::from(payload.to_owned()),
            client_context: None,
            cognito_identity: None,
            trace_header: None,

            tenant_id: None,

            synchronous: false,
            tail: false,
        }
    }

    async fn invoke(&self, payload: &str) -> Result<Outcome, InvokeError> {
        self.engine.invoke(self.invocation(payload)).await
    }

    async fn invoke_tail(&self, payload: &str) -> (Outcome, String) {
        let outcome =
            self.engine.invoke(Invocation { tail: true, ..self.invocation(payload) }).await.unwrap();
        let tail = String::from_utf8(outcome.log_tail.clone().unwrap().to_vec()).unwrap();
        (outcome, tail)
    }

    /// Lines until one contains the text.
    async fn lines_until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.logs.recv().await.expect("the engine holds the sender").message;
            let last = line.contains(text);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Waits until a figure of the fake has the value.
    async fn until(&self, figure: impl Fn(&Fake) -> usize, value: usize) {
        let reached = async {
            while figure(&self.fake) != value {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("the figure is reached");
    }
}

/// A runtime that answers each event by `handle`.
fn handler<F>(handle: impl Fn(Inside, String) -> F + Clone + Send + Sync + 'static) -> Fake
where
    F: Future<Output = String> + Send + 'static,
{
    Fake::new(move |inside: Inside| {
        let handle = handle.clone();
        async move {
            let mut api = inside.connect().await;
            loop {
                let event = api.next().await;
                let answer = handle(inside.clone(), String::from_utf8(event.payload).unwrap()).await;
                if let Some(code) = answer.strip_prefix("exit ") {
                    return Exit::Code(code.parse().unwrap());
                }
                api.respond(&event.request_id, answer.as_bytes()).await;
            }
        }
    })
}

fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.payload).unwrap()
}

fn error_type(outcome: &Outcome) -> &str {
    &outcome.function_error.as_ref().expect("a function error").error_type
}
