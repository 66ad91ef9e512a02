//! `hearth metrics`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use crate::client::{Client, percent_encode};
use crate::functions::print_table;

/// Print what Lambda measured of a function, or of all.
#[derive(Args)]
pub struct Metrics {
    /// A function's name; without one, the whole account and region
    name: Option<String>,

    /// How far back: 5m, 2h, 1d
    #[arg(short, long, default_value = "1h", value_parser = crate::duration::parse, value_name = "SPAN")]
    since: Duration,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Metrics {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::from_environment()?;
        let mut path = format!(
            "/_hearth/metrics?region={}&minutes={}",
            percent_encode(client.region()),
            self.since.as_secs().div_ceil(60)
        );
        if let Some(account) = client.account() {
            path.push_str(&format!("&account={account}"));
        }
        if let Some(name) = &self.name {
            path.push_str(&format!("&function={}", percent_encode(name)));
        }
        let told = client.hearth("GET", &path, Vec::new())?;
        let metrics = told["metrics"].as_array().context("the server's answer has no metrics")?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(metrics)?);
            return Ok(ExitCode::SUCCESS);
        }
        if metrics.is_empty() {
            println!("Nothing was measured.");
            return Ok(ExitCode::SUCCESS);
        }
        print_table(["METRIC", "OF", "SUM", "AVERAGE", "MAXIMUM"], metrics.iter().map(row).collect());
        Ok(ExitCode::SUCCESS)
    }
}

fn row(metric: &Value) -> [String; 5] {
    let number = |key: &str| metric[key].as_f64().unwrap_or_default();
    let dimensions = &metric["dimensions"];
    let of =
        dimensions["Resource"].as_str().or(dimensions["FunctionName"].as_str()).unwrap_or("all functions");
    let of = match dimensions["ExecutedVersion"].as_str() {
        Some(version) => format!("{of} -> {version}"),
        None => of.to_owned(),
    };
    [
        metric["metric"].as_str().unwrap_or_default().to_owned(),
        of,
        plain(number("sum")),
        plain(number("sum") / number("count")),
        plain(number("max")),
    ]
}

/// Without decimals that say nothing.
fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
