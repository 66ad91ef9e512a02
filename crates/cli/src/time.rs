//! `hearth time`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;

/// Tell the server's time, or move it on.
#[derive(Args)]
pub struct Time {
    #[command(subcommand)]
    command: TimeCommand,
}

#[derive(Subcommand)]
enum TimeCommand {
    /// Print what the server's clock shows
    Now {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move the clock of a server started with --time virtual; returns when what was due on the way is done
    Advance {
        /// How far: 30s, 5m, 2h, 1d, 1w
        #[arg(value_parser = crate::duration::parse, value_name = "SPAN")]
        by: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Time {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::from_environment()?;
        let (told, as_json) = match self.command {
            TimeCommand::Now { json } => (client.hearth("GET", "/_hearth/time", Vec::new())?, json),
            TimeCommand::Advance { by, json } => {
                let step = serde_json::to_vec(&json!({ "advanceSeconds": by.as_secs() }))?;
                (client.hearth("POST", "/_hearth/time", step)?, json)
            }
        };
        if as_json {
            println!("{told}");
            return Ok(ExitCode::SUCCESS);
        }
        let text = |key: &str| told[key].as_str().with_context(|| format!("the answer has no {key}"));
        println!("{} ({} clock)", text("now")?, text("clock")?);
        Ok(ExitCode::SUCCESS)
    }
}

/// What the server's clock shows, in milliseconds.
pub fn now_ms(client: &Client) -> anyhow::Result<u64> {
    let told: Value = client.hearth("GET", "/_hearth/time", Vec::new())?;
    told["epochMs"].as_u64().context("the server's answer has no time")
}
