//! `hearth rm`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::client::{Client, Refused, percent_encode};

/// Delete a function with its versions, aliases, URLs and log.
#[derive(Args)]
pub struct Rm {
    /// The function's name
    function: String,

    /// Leave its log group
    #[arg(long)]
    keep_logs: bool,
}

impl Rm {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::from_environment()?;
        let name = &self.function;
        let Some(function) = crate::deploy::find(&client, name)? else {
            bail!("there is no function {name}; `hearth functions` lists them");
        };
        if function["FunctionArn"].as_str().is_some_and(|arn| arn.split(':').count() > 7) {
            bail!("{name} names a version or an alias; `hearth rm` deletes whole functions");
        }
        let name = function["FunctionName"].as_str().unwrap_or(name);
        client.lambda(
            "DELETE",
            &format!("/2015-03-31/functions/{}", percent_encode(name)),
            "",
            &[],
            Vec::new(),
        )?;
        println!("Deleted the function {name}, with its versions, aliases and URLs");
        // A group that was chosen for it may have others' lines, too.
        let group = format!("/aws/lambda/{name}");
        if self.keep_logs || function["LoggingConfig"]["LogGroup"] != group.as_str() {
            return Ok(ExitCode::SUCCESS);
        }
        let deleted = client.json("logs", "Logs_20140328.DeleteLogGroup", &json!({ "logGroupName": group }));
        if Refused::unless(deleted, "ResourceNotFoundException")?.is_some() {
            println!("Deleted the log group {group}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
