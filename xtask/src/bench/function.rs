//! The functions that are measured, and the calls of the API that make, run and remove them.

use std::io::{Cursor, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::http::{Connection, request};

/// One processor's worth: with less, the quota is measured instead of the server.
const MEMORY_MB: u32 = 1769;
const ROLE: &str = "bench";
/// What every measured invocation sends and gets back.
pub const EVENT: &[u8] = br#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#;
const FUNCTIONS: &str = "/2015-03-31/functions";
/// A form POST names its service only in the credential scope; an open server takes any signature.
const IAM_SCOPE: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";

/// A runtime to measure, and a function for it that gives back what it gets.
pub struct Kind {
    pub name: &'static str,
    /// The kind in names of functions.
    pub slug: &'static str,
    runtime: &'static str,
    handler: &'static str,
    zip_base64: String,
    /// The same for a function that streams, where there is one.
    streaming_zip_base64: Option<String>,
    /// Environment variables.
    variables: Value,
}

impl Kind {
    pub fn all(root: &Path, bootstrap: &Path) -> anyhow::Result<[Self; 3]> {
        let functions = root.join("benches/functions");
        let kind = |name, slug, runtime, handler, file: &Path| -> anyhow::Result<Self> {
            let zip_base64 = STANDARD.encode(zip_of(file)?);
            Ok(Self {
                name,
                slug,
                runtime,
                handler,
                zip_base64,
                streaming_zip_base64: None,
                variables: json!({}),
            })
        };
        let streaming = STANDARD.encode(zip_of(&functions.join("streaming/index.mjs"))?);
        Ok([
            kind(
                "Python",
                "python",
                "python3.12",
                "lambda_function.handler",
                &functions.join("lambda_function.py"),
            )?,
            Self {
                streaming_zip_base64: Some(streaming),
                ..kind("Node.js", "node", "nodejs20.x", "index.handler", &functions.join("index.mjs"))?
            },
            kind("provided (Rust)", "rust", "provided.al2023", "bootstrap", bootstrap)?,
        ])
    }
}

impl Kind {
    /// One of the functions in Python.
    pub fn python(root: &Path, file: &str, handler: &'static str) -> anyhow::Result<Self> {
        let zip_base64 = STANDARD.encode(zip_of(&root.join("benches/functions").join(file))?);
        Ok(Self {
            name: "Python",
            slug: "python",
            runtime: "python3.12",
            handler,
            zip_base64,
            streaming_zip_base64: None,
            variables: json!({}),
        })
    }

    /// The same, and it is told where to call.
    pub fn calling(self, host: &str, port: u16) -> Self {
        Self { variables: json!({ "HOST": host, "PORT": port.to_string() }), ..self }
    }
}

fn zip_of(file: &Path) -> anyhow::Result<Vec<u8>> {
    let content = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let name = file.file_name().and_then(|name| name.to_str()).context("the file has a name")?;
    let mut package = zip::ZipWriter::new(Cursor::new(Vec::new()));
    package.start_file(name, SimpleFileOptions::default().unix_permissions(0o755))?;
    package.write_all(&content)?;
    Ok(package.finish()?.into_inner())
}

/// The calls, over one connection.
pub struct Api {
    address: SocketAddr,
    connection: Connection,
}

impl Api {
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { address, connection: Connection::open(address)? })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn create_role(&mut self) -> anyhow::Result<()> {
        const TRUST: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow\
                             %22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action\
                             %22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
        let form =
            format!("Action=CreateRole&Version=2010-05-08&RoleName={ROLE}&AssumeRolePolicyDocument={TRUST}");
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("X-Amz-Date", "20260101T000000Z"),
            ("Authorization", IAM_SCOPE),
        ];
        self.call("POST", "/", &headers, form.as_bytes(), 200)
    }

    /// Creates a function; tells how long it took until the API called it Active.
    pub fn create(&mut self, name: &str, kind: &Kind) -> anyhow::Result<Duration> {
        self.create_from(name, kind, &kind.zip_base64)
    }

    /// The same for the kind's streaming function.
    pub fn create_streaming(&mut self, name: &str, kind: &Kind) -> anyhow::Result<Duration> {
        let zip = kind.streaming_zip_base64.as_ref().context("this kind has no streaming function")?;
        self.create_from(name, kind, zip)
    }

    fn create_from(&mut self, name: &str, kind: &Kind, zip_base64: &str) -> anyhow::Result<Duration> {
        let body = json!({
            "FunctionName": name,
            "Runtime": kind.runtime,
            "Handler": kind.handler,
            "Role": format!("arn:aws:iam::000000000000:role/{ROLE}"),
            "MemorySize": MEMORY_MB,
            "Timeout": 30,
            "Environment": { "Variables": kind.variables },
            "Code": { "ZipFile": zip_base64 },
        });
        let body = serde_json::to_vec(&body)?;
        let started = Instant::now();
        self.call("POST", FUNCTIONS, &[("Content-Type", "application/json")], &body, 201)?;
        loop {
            self.call("GET", &format!("{FUNCTIONS}/{name}/configuration"), &[], &[], 200)?;
            let found: Value = serde_json::from_slice(self.connection.body())?;
            match found["State"].as_str() {
                Some("Active") => return Ok(started.elapsed()),
                Some("Pending") => {
                    ensure!(started.elapsed() < Duration::from_secs(30), "{name} stays Pending")
                }
                _ => bail!("{name} is not to be had: {found}"),
            }
        }
    }

    /// Invokes a function once; it must give back what it got, or at least not fail.
    pub fn invoke(&mut self, name: &str, event: &[u8]) -> anyhow::Result<Duration> {
        let request = self.invocation(name, event);
        let started = Instant::now();
        let head = self.connection.exchange(&request)?;
        let took = started.elapsed();
        if head.status != 200 || head.function_error {
            bail!("{name} answered {head:?}: {}", String::from_utf8_lossy(self.connection.body()));
        }
        Ok(took)
    }

    /// Invokes a streaming function once; how long its first byte took.
    pub fn invoke_streaming(&mut self, name: &str) -> anyhow::Result<Duration> {
        let path = format!("/2021-11-15/functions/{name}/response-streaming-invocations");
        let (head, first) =
            self.connection.exchange_timed(&request(self.address, "POST", &path, &[], EVENT))?;
        ensure!(head.status == 200, "{name} answered {head:?}");
        Ok(first)
    }

    /// The last answer's body.
    pub fn body(&self) -> &[u8] {
        self.connection.body()
    }

    /// The bytes of an invocation.
    pub fn invocation(&self, name: &str, event: &[u8]) -> Vec<u8> {
        request(self.address, "POST", &format!("{FUNCTIONS}/{name}/invocations"), &[], event)
    }

    /// The bytes of an invocation that nobody waits for.
    pub fn event(&self, name: &str, event: &[u8]) -> Vec<u8> {
        let headers = [("X-Amz-Invocation-Type", "Event")];
        request(self.address, "POST", &format!("{FUNCTIONS}/{name}/invocations"), &headers, event)
    }

    /// Sends an event, and returns when it is accepted.
    pub fn send(&mut self, name: &str, event: &[u8]) -> anyhow::Result<()> {
        let head = self.connection.exchange(&self.event(name, event))?;
        ensure!(head.status == 202, "an event was answered with {}", head.status);
        Ok(())
    }

    pub fn delete(&mut self, name: &str) -> anyhow::Result<()> {
        self.call("DELETE", &format!("{FUNCTIONS}/{name}"), &[], &[], 204)
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        expected: u16,
    ) -> anyhow::Result<()> {
        let head = self.connection.exchange(&request(self.address, method, path, headers, body))?;
        let said = || String::from_utf8_lossy(self.connection.body()).into_owned();
        ensure!(head.status == expected, "{method} {path} was answered with {}: {}", head.status, said());
        Ok(())
    }
}
