//! `hearth logs`

use std::collections::HashSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::client::Client;

/// How often `--follow` asks again. FilterLogEvents is the API's only way to follow that every server has.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(300);

/// Print what a function logged.
#[derive(Args)]
pub struct Logs {
    /// A function's name, or a log group's (which starts with `/`)
    name: String,

    /// How far back to begin: 30s, 5m, 2h, 1d, 1w
    #[arg(short, long, default_value = "10m", value_parser = crate::duration::parse, value_name = "SPAN")]
    since: Duration,

    /// Go on printing new lines until interrupted
    #[arg(short, long)]
    follow: bool,

    /// Only lines that match this CloudWatch Logs filter pattern
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::from_environment()?;
        let group =
            if self.name.starts_with('/') { self.name.clone() } else { format!("/aws/lambda/{}", self.name) };
        // Lines are stamped by the server's clock, which may be a virtual one.
        let since_ms = u64::try_from(self.since.as_millis())?;
        let mut from_ms = crate::time::now_ms(&client)?.saturating_sub(since_ms);
        // Events of the newest millisecond may still arrive: ask for it again, and print each event once.
        let mut printed_at_newest = HashSet::new();
        loop {
            let newest = self.print_page(&client, &group, from_ms, &mut printed_at_newest)?;
            if !self.follow {
                return Ok(ExitCode::SUCCESS);
            }
            from_ms = newest;
            std::io::stdout().flush()?;
            client.pause(FOLLOW_INTERVAL);
        }
    }

    fn print_page(
        &self,
        client: &Client,
        group: &str,
        from_ms: u64,
        printed_at_newest: &mut HashSet<String>,
    ) -> anyhow::Result<u64> {
        let mut newest_ms = from_ms;
        let mut request = json!({ "logGroupName": group, "startTime": from_ms });
        if let Some(pattern) = &self.filter {
            request["filterPattern"] = pattern.as_str().into();
        }
        loop {
            let page = client.json("logs", "Logs_20140328.FilterLogEvents", &request)?;
            for event in page["events"].as_array().context("the server's answer has no events")? {
                let id = event["eventId"].as_str().unwrap_or_default();
                let at_ms = event["timestamp"].as_u64().unwrap_or(from_ms);
                if printed_at_newest.contains(id) {
                    continue;
                }
                if at_ms > newest_ms {
                    newest_ms = at_ms;
                    printed_at_newest.clear();
                }
                if at_ms == newest_ms {
                    printed_at_newest.insert(id.to_owned());
                }
                self.print(event);
            }
            match page["nextToken"].as_str() {
                Some(token) => request["nextToken"] = token.into(),
                None => return Ok(newest_ms),
            }
        }
    }

    fn print(&self, event: &Value) {
        if self.json {
            println!("{event}");
        } else {
            println!("{}", event["message"].as_str().unwrap_or_default().trim_end());
        }
    }
}
