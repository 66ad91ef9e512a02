//! `hearth deploy`

mod detect;
mod function;
mod package;
mod role;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use domain::{Family, FunctionName, Runtime};
use runtimes::{Catalogue, DetectOptions, EntryStatus};
use serde_json::{Map, Value, json};

use crate::client::Client;
use detect::Detected;
use function::{Change, Code};
use package::Package;

pub use function::find;

/// Make a function of a folder, or bring it up to date.
#[derive(Args)]
#[command(after_help = "A later deploy changes the code, and of the settings only what you name.")]
pub struct Deploy {
    /// The function's folder, or a package: a zip or a jar
    #[arg(default_value = ".", value_name = "DIR")]
    source: PathBuf,

    /// The function's name; the folder's unless said
    #[arg(short, long)]
    name: Option<String>,

    /// The runtime, such as python3.13; found out unless said
    #[arg(short, long)]
    runtime: Option<Runtime>,

    /// Where the code begins, such as app.handler; found out unless said
    #[arg(long)]
    handler: Option<String>,

    /// An environment variable; may be repeated
    #[arg(short, long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Memory, in MB
    #[arg(short, long, value_name = "MB")]
    memory: Option<u32>,

    /// The longest an invocation may take, in seconds
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u32>,

    /// The execution role's ARN; unless said, a role named hearth-deploy, which is made if need be
    #[arg(long, value_name = "ARN")]
    role: Option<String>,

    /// Give it a URL, too, that everybody may call, and print it
    #[arg(short, long)]
    url: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be deployed.
struct Plan {
    name: String,
    package: Package,
    detected: Option<Detected>,
}

/// What came of it.
struct Deployed {
    change: Change,
    configuration: Value,
    url: Option<String>,
    role_made: bool,
}

impl Deploy {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let plan = self.plan()?;
        let client = Client::from_environment()?;
        let deployed = self.deploy(&client, &plan)?;
        self.tell(&plan, &deployed)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Everything that can be known, and refused, before the server is asked.
    fn plan(&self) -> anyhow::Result<Plan> {
        let source = &self.source;
        let found = std::fs::metadata(source).with_context(|| format!("there is no {}", source.display()))?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name_of(source)?,
        };
        if found.is_file() {
            return Ok(Plan { name, package: package::take(source)?, detected: of_archive(source) });
        }
        let family = match (self.runtime, &self.handler) {
            (Some(runtime), _) => Some(runtime.family()),
            (None, Some(handler)) => detect::family_of(source, handler),
            (None, None) => None,
        };
        let detected = match (self.runtime, &self.handler) {
            (Some(_), Some(_)) => None,
            _ => Some(detect::detect(source, family)?),
        };
        let archive = detected.as_ref().and_then(|detected| detected.archive.as_ref());
        let package = archive.map_or_else(|| package::pack(source), |archive| package::take(archive))?;
        Ok(Plan { name, package, detected })
    }

    fn deploy(&self, client: &Client, plan: &Plan) -> anyhow::Result<Deployed> {
        let code = Code::Zip(&plan.package.zip);
        let mut role_made = false;
        let change = match find(client, &plan.name)? {
            Some(now) => function::update(client, &plan.name, &now, &code, &self.changes(&now))?,
            None => {
                let role = match &self.role {
                    Some(role) => role.clone(),
                    None => {
                        let (role, made) = role::ensure(client)?;
                        role_made = made;
                        role
                    }
                };
                let configuration = self.configuration(plan, role)?;
                function::create(client, &plan.name, &code, configuration)?;
                Change::Created
            }
        };
        let url = match self.url {
            true => crate::url_command::ensure(client, &plan.name, None, Map::new())?["FunctionUrl"]
                .as_str()
                .map(str::to_owned),
            false => None,
        };
        let configuration = find(client, &plan.name)?.context("the function was deleted meanwhile")?;
        Ok(Deployed { change, configuration, url, role_made })
    }

    /// What a new function is created with.
    fn configuration(&self, plan: &Plan, role: String) -> anyhow::Result<Map<String, Value>> {
        let runtime = match (self.runtime, &plan.detected) {
            (Some(runtime), _) => runtime,
            (None, Some(detected)) => runtime_for(detected.family)?,
            (None, None) => bail!("which runtime? Say it with --runtime; `hearth runtimes` lists them"),
        };
        let detected = plan.detected.as_ref().and_then(|detected| detected.handler.clone());
        let Some(handler) = self.handler.clone().or(detected) else {
            bail!(
                "which function of {} is the handler? Say it with --handler, such as {}",
                self.source.display(),
                example(runtime.family())
            );
        };
        let mut configuration = self.changes(&json!({}));
        configuration.insert("Role".to_owned(), role.into());
        configuration.insert("Runtime".to_owned(), runtime.id().into());
        configuration.insert("Handler".to_owned(), handler.into());
        Ok(configuration)
    }

    /// What was named, beside what there is now.
    fn changes(&self, now: &Value) -> Map<String, Value> {
        let mut changes = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                changes.insert(key.to_owned(), value);
            }
        };
        set("Runtime", self.runtime.map(|runtime| runtime.id().into()));
        set("Handler", self.handler.clone().map(Into::into));
        set("Role", self.role.clone().map(Into::into));
        set("MemorySize", self.memory.map(Into::into));
        set("Timeout", self.timeout.map(Into::into));
        if !self.env.is_empty() {
            let kept = now["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
            let kept = kept.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
            let variables: BTreeMap<String, String> = kept.chain(self.env.iter().cloned()).collect();
            set("Environment", Some(json!({ "Variables": variables })));
        }
        changes
    }

    fn tell(&self, plan: &Plan, deployed: &Deployed) -> anyhow::Result<()> {
        let text = |key: &str| deployed.configuration[key].as_str().unwrap_or_default();
        if self.json {
            let mut told = deployed.configuration.clone();
            told["FunctionUrl"] = deployed.url.clone().into();
            told["Change"] = deployed.change.name().into();
            println!("{}", serde_json::to_string_pretty(&told)?);
            return Ok(());
        }
        let files = match plan.package.files {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        let size = plan.package.zip.len().div_ceil(1024);
        println!("{} {}", deployed.change.name(), plan.name);
        println!("  Code  {files}, {size} KB");
        println!("  Runs  {} in {}", text("Handler"), text("Runtime"));
        if deployed.role_made {
            println!("  Role  {} (made for this)", text("Role"));
        }
        println!("  ARN   {}", text("FunctionArn"));
        if let Some(url) = &deployed.url {
            println!("  URL   {url}");
        }
        Ok(())
    }
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Updated => "Updated",
            Self::Unchanged => "Unchanged",
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it like KEY=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A folder's own name, with what no function can be called made into hyphens.
fn name_of(source: &Path) -> anyhow::Result<String> {
    let whole = source.canonicalize().with_context(|| format!("open {}", source.display()))?;
    let last = if whole.is_dir() { whole.file_name() } else { whole.file_stem() };
    let last = last.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = last.chars().map(legal).take(FunctionName::LENGTH_MAX).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        bail!("{} has no name that a function could have; say one with --name", whole.display());
    }
    Ok(name.to_owned())
}

fn of_archive(source: &Path) -> Option<Detected> {
    let is_jar = source.extension().is_some_and(|extension| extension == "jar");
    is_jar.then_some(Detected { family: Family::Java, handler: None, archive: None })
}

/// The family's newest runtime that this machine has exactly; else the newest that it serves at all.
fn runtime_for(family: Family) -> anyhow::Result<Runtime> {
    let catalogue = Catalogue::detect(&DetectOptions::host(crate::settings::cache_dir()?))?;
    let status = |wanted: EntryStatus| {
        let entries = catalogue.entries();
        let served = entries.into_iter().filter(|entry| entry.status == wanted);
        served.filter_map(|entry| entry.runtime.parse::<Runtime>().ok()).rfind(|r| r.family() == family)
    };
    status(EntryStatus::Exact).or_else(|| status(EntryStatus::Nearest)).with_context(|| {
        format!(
            "this machine has nothing that runs {family:?}; `hearth runtimes` says what there is, and --runtime takes \
             what the server has"
        )
    })
}

fn example(family: Family) -> &'static str {
    match family {
        Family::Java => "com.example.Handler::handleRequest",
        Family::Provided => "bootstrap",
        Family::Python | Family::Ruby => "app.lambda_handler",
        Family::Node | Family::DotNet => "index.handler",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_becomes_a_functions() {
        let base = tempfile::tempdir().unwrap();
        for (folder, name) in [("hello", "hello"), ("my app.v2", "my-app-v2"), ("-x-", "x")] {
            let path = base.path().join(folder);
            std::fs::create_dir(&path).unwrap();
            assert_eq!(name_of(&path).unwrap(), name);
        }
        let nameless = base.path().join("...é");
        std::fs::create_dir(&nameless).unwrap();
        assert!(name_of(&nameless).is_err());
    }
}
