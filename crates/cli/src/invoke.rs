//! `hearth invoke`

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use crate::client::{Client, percent_encode};

/// Invoke a function and print its answer.
#[derive(Args)]
pub struct Invoke {
    /// The function: a name, `name:qualifier` or ARN
    function: String,

    /// The event: JSON text, `@file`, or `-` for standard input
    #[arg(short, long, default_value = "{}", value_name = "JSON")]
    payload: String,

    /// A version or alias
    #[arg(short, long)]
    qualifier: Option<String>,

    /// Print the last 4 KB of the invocation's log to standard error
    #[arg(short, long)]
    tail: bool,

    /// Print JSON: status, executed version, error kind, log and payload
    #[arg(long)]
    json: bool,
}

impl Invoke {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let payload = read_payload(&self.payload)?;
        let path = format!("/2015-03-31/functions/{}/invocations", percent_encode(&self.function));
        let query =
            self.qualifier.as_deref().map(|q| format!("Qualifier={}", percent_encode(q))).unwrap_or_default();
        let log_type = if self.tail || self.json { "Tail" } else { "None" };
        let client = Client::from_environment()?;
        let answer = client.lambda("POST", &path, &query, &[("x-amz-log-type", log_type)], payload)?;

        let log = answer.header("x-amz-log-result").map(|encoded| STANDARD.decode(encoded)).transpose()?;
        let log = log.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let failed = answer.header("x-amz-function-error").map(str::to_owned);
        if self.json {
            let payload = serde_json::from_slice::<serde_json::Value>(&answer.body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into());
            println!(
                "{}",
                serde_json::json!({
                    "status": answer.status,
                    "executedVersion": answer.header("x-amz-executed-version"),
                    "functionError": failed,
                    "log": log,
                    "payload": payload,
                })
            );
        } else {
            if let Some(log) = log.filter(|_| self.tail) {
                eprint!("{log}");
            }
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&answer.body)?;
            stdout.write_all(b"\n")?;
        }
        // The answer above is the function's own account of what went wrong.
        Ok(if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn read_payload(argument: &str) -> anyhow::Result<Vec<u8>> {
    match argument.strip_prefix('@') {
        Some(file) => std::fs::read(file).with_context(|| format!("read {file}")),
        None if argument == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("read standard input")?;
            Ok(bytes)
        }
        None => Ok(argument.as_bytes().to_vec()),
    }
}
