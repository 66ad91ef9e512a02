//! `hearth functions`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use crate::client::Client;

/// List the functions of an account and region.
#[derive(Args)]
pub struct Functions {
    /// Print JSON: the list as the Lambda API gives it
    #[arg(long)]
    json: bool,
}

impl Functions {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let functions = all(&Client::from_environment()?)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&functions)?);
            return Ok(ExitCode::SUCCESS);
        }
        if functions.is_empty() {
            println!("No functions yet. `hearth deploy DIR` makes one of a folder.");
            return Ok(ExitCode::SUCCESS);
        }
        let text = |function: &Value, key: &str| match &function[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows = functions.iter().map(|function| {
            [
                text(function, "FunctionName"),
                text(function, "Runtime"),
                text(function, "Handler"),
                format!("{} MB", text(function, "MemorySize")),
                format!("{} s", text(function, "Timeout")),
                text(function, "LastModified"),
            ]
        });
        print_table(["NAME", "RUNTIME", "HANDLER", "MEMORY", "TIMEOUT", "MODIFIED"], rows.collect());
        Ok(ExitCode::SUCCESS)
    }
}

fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut functions = Vec::new();
    let mut query = String::new();
    loop {
        let page = client.lambda("GET", "/2015-03-31/functions/", &query, &[], Vec::new())?.json()?;
        let found = page["Functions"].as_array().context("the server's answer has no list of functions")?;
        functions.extend(found.iter().cloned());
        match page["NextMarker"].as_str() {
            Some(marker) => query = format!("Marker={}", crate::client::percent_encode(marker)),
            None => return Ok(functions),
        }
    }
}

/// Prints rows under headings, each column as wide as its widest cell.
pub fn print_table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).chain([headings[column].len()]).max().unwrap_or(0)
    });
    let line = |cells: &[&str]| {
        let cells: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    };
    line(&headings);
    for row in &rows {
        line(&row.each_ref().map(String::as_str));
    }
}
