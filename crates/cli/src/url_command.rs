//! `hearth url`

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::client::{Client, Refused, percent_encode};

/// Print a function's URL; give it one if it has none.
#[derive(Args)]
pub struct Url {
    /// The function's name
    function: String,

    /// An alias, which has a URL of its own
    #[arg(short, long, value_name = "ALIAS")]
    qualifier: Option<String>,

    /// Who may call it; a new URL is open to everybody
    #[arg(long, value_name = "WHO")]
    auth: Option<Auth>,

    /// Send the answer while the function writes it
    #[arg(long)]
    stream: bool,

    /// A web page's origin that may read the answers, such as http://localhost:3000, or *
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    cors: Vec<String>,

    /// Print JSON: the configuration as the Lambda API gives it
    #[arg(long)]
    json: bool,
}

/// `--auth`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everybody
    None,
    /// Whoever signs with credentials that are allowed to
    Iam,
}

impl Url {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::from_environment()?;
        let mut settings = serde_json::Map::new();
        if let Some(auth) = self.auth {
            settings.insert("AuthType".to_owned(), auth.name().into());
        }
        if self.stream {
            settings.insert("InvokeMode".to_owned(), "RESPONSE_STREAM".into());
        }
        if !self.cors.is_empty() {
            let cors = json!({ "AllowOrigins": self.cors, "AllowMethods": ["*"], "AllowHeaders": ["*"] });
            settings.insert("Cors".to_owned(), cors);
        }
        let url = ensure(&client, &self.function, self.qualifier.as_deref(), settings)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&url)?);
        } else {
            println!("{}", url["FunctionUrl"].as_str().unwrap_or_default());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Auth {
    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Iam => "AWS_IAM",
        }
    }
}

/// A function's URL with these settings; a new one is open to everybody unless they say otherwise.
pub fn ensure(
    client: &Client,
    function: &str,
    qualifier: Option<&str>,
    mut settings: serde_json::Map<String, Value>,
) -> anyhow::Result<Value> {
    let path = format!("/2021-10-31/functions/{}/url", percent_encode(function));
    let query = qualifier.map(|q| format!("Qualifier={}", percent_encode(q))).unwrap_or_default();
    let found = client.lambda("GET", &path, &query, &[], Vec::new());
    let url = match Refused::unless(found, "ResourceNotFoundException")? {
        Some(answer) if settings.is_empty() => answer.json()?,
        Some(_) => client.lambda("PUT", &path, &query, &[], serde_json::to_vec(&settings)?)?.json()?,
        None => {
            settings.entry("AuthType").or_insert("NONE".into());
            client.lambda("POST", &path, &query, &[], serde_json::to_vec(&settings)?)?.json()?
        }
    };
    if url["AuthType"] == "NONE" {
        open_to_everybody(client, function, &query)?;
    }
    Ok(url)
}

/// What AWS's console and SAM add to the function's policy: without it, not even a URL without authentication answers.
fn open_to_everybody(client: &Client, function: &str, query: &str) -> anyhow::Result<()> {
    let path = format!("/2015-03-31/functions/{}/policy", percent_encode(function));
    for statement in [
        json!({
            "StatementId": "FunctionURLAllowPublicAccess",
            "Action": "lambda:InvokeFunctionUrl",
            "Principal": "*",
            "FunctionUrlAuthType": "NONE",
        }),
        json!({
            "StatementId": "FunctionURLAllowInvokeAction",
            "Action": "lambda:InvokeFunction",
            "Principal": "*",
            "InvokedViaFunctionUrl": true,
        }),
    ] {
        let added = client.lambda("POST", &path, query, &[], serde_json::to_vec(&statement)?);
        Refused::unless(added, "ResourceConflictException")?;
    }
    Ok(())
}
