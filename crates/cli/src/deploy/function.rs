//! Makes a function what it is to be, and waits until it is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Refused, percent_encode};

/// How long a function may take to become active. Unpacking the largest package takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What came of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The function is new.
    Created,
    /// It is another one now.
    Updated,
    /// It was so already.
    Unchanged,
}

/// The function's configuration, if there is one of that name.
pub fn find(client: &Client, name: &str) -> anyhow::Result<Option<Value>> {
    let answer = client.lambda("GET", &configuration_path(name), "", &[], Vec::new());
    Refused::unless(answer, "ResourceNotFoundException")?.map(|answer| answer.json()).transpose()
}

/// Creates a function of this configuration.
pub fn create(
    client: &Client,
    name: &str,
    code: &Code<'_>,
    mut configuration: Map<String, Value>,
) -> anyhow::Result<()> {
    configuration.insert("FunctionName".to_owned(), name.into());
    configuration.insert("Code".to_owned(), code.source());
    let body = serde_json::to_vec(&configuration)?;
    client.lambda("POST", "/2015-03-31/functions", "", &[], body)?;
    wait(client, name)
}

/// Gives a function other code and another configuration, where it is not what it is to be.
pub fn update(
    client: &Client,
    name: &str,
    now: &Value,
    code: &Code<'_>,
    configuration: &Map<String, Value>,
) -> anyhow::Result<Change> {
    // An update that somebody else has begun, or a creation, comes first.
    wait(client, name)?;
    let mut change = Change::Unchanged;
    if !code.is(now) {
        let path = format!("/2015-03-31/functions/{}/code", percent_encode(name));
        client.lambda("PUT", &path, "", &[], serde_json::to_vec(&code.source())?)?;
        wait(client, name)?;
        change = Change::Updated;
    }
    let differs = configuration.iter().any(|(key, value)| now[key] != *value);
    if differs {
        let body = serde_json::to_vec(configuration)?;
        client.lambda("PUT", &configuration_path(name), "", &[], body)?;
        wait(client, name)?;
        change = Change::Updated;
    }
    Ok(change)
}

/// Where a function's code comes from.
pub enum Code<'a> {
    /// A package.
    Zip(&'a [u8]),
}

impl Code<'_> {
    fn source(&self) -> Value {
        match self {
            Self::Zip(zip) => json!({ "ZipFile": STANDARD.encode(zip) }),
        }
    }

    /// Whether a function has this code.
    fn is(&self, configuration: &Value) -> bool {
        match self {
            Self::Zip(zip) => configuration["CodeSha256"] == STANDARD.encode(Sha256::digest(zip)).as_str(),
        }
    }
}

fn configuration_path(name: &str) -> String {
    format!("/2015-03-31/functions/{}/configuration", percent_encode(name))
}

/// Until nothing is in progress.
fn wait(client: &Client, name: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = find(client, name)?.with_context(|| format!("{name} was deleted meanwhile"))?;
        let reason = |key: &str| now[key].as_str().unwrap_or("no reason is given").to_owned();
        if now["State"] == "Failed" {
            bail!("{name} cannot be created: {}. Remove it with `hearth rm {name}`", reason("StateReason"));
        }
        match now["LastUpdateStatus"].as_str() {
            Some("Failed") => bail!("the update of {name} failed: {}", reason("LastUpdateStatusReason")),
            Some("InProgress") => {}
            _ if now["State"] == "Pending" => {}
            _ => return Ok(()),
        }
        if Instant::now() > deadline {
            bail!("{name} is not active after {} s; the server's log may say why", PATIENCE.as_secs());
        }
        client.pause(PAUSE);
    }
}
