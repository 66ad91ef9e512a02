//! Calls of AWS's services. Nobody signs them: open servers take any signature, and tell by it which service is meant.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::http::{Connection, request};

pub const SQS: Json = Json { service: "sqs", target: "AmazonSQS", version: "1.0" };
pub const EVENTS: Json = Json { service: "events", target: "AWSEvents", version: "1.1" };

/// A service whose requests are JSON with the operation in a header.
pub struct Json {
    service: &'static str,
    target: &'static str,
    version: &'static str,
}

impl Json {
    /// A call's bytes.
    pub fn call(&self, address: SocketAddr, operation: &str, body: &Value) -> Vec<u8> {
        let target = format!("{}.{operation}", self.target);
        let kind = format!("application/x-amz-json-{}", self.version);
        let authorization = authorization(self.service);
        let headers = [
            ("X-Amz-Target", target.as_str()),
            ("Content-Type", kind.as_str()),
            ("Authorization", authorization.as_str()),
        ];
        request(address, "POST", "/", &headers, body.to_string().as_bytes())
    }
}

/// A request of S3's API.
pub fn s3(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let authorization = authorization("s3");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
        ("X-Amz-Date", "20260101T000000Z"),
    ];
    request(address, method, path, &headers, body)
}

/// A request of Lambda's API.
pub fn lambda(address: SocketAddr, method: &str, path: &str, body: &Value) -> Vec<u8> {
    let authorization = authorization("lambda");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    request(address, method, path, &headers, body.to_string().as_bytes())
}

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

/// Sends a request, which must succeed; its answer's body.
pub fn send<'c>(connection: &'c mut Connection, request: &[u8]) -> anyhow::Result<&'c [u8]> {
    let head = connection.exchange(request)?;
    let body = connection.body();
    ensure!(
        (200..300).contains(&head.status),
        "answered {}: {:.400}",
        head.status,
        String::from_utf8_lossy(body)
    );
    Ok(body)
}

/// The same for an answer that is JSON.
pub fn ask(connection: &mut Connection, request: &[u8]) -> anyhow::Result<Value> {
    match send(connection, request)? {
        b"" => Ok(Value::Null),
        body => serde_json::from_slice(body).context("understand an answer"),
    }
}

/// Makes a queue, and gives its URL.
pub fn create_queue(connection: &mut Connection, address: SocketAddr, name: &str) -> anyhow::Result<String> {
    let answer = ask(connection, &SQS.call(address, "CreateQueue", &json!({ "QueueName": name })))?;
    Ok(answer["QueueUrl"].as_str().context("the queue has a URL")?.to_owned())
}
