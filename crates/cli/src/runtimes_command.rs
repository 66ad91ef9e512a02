//! `hearth runtimes`

use std::process::ExitCode;

use clap::Args;
use runtimes::{Catalogue, DetectOptions, EntryStatus};

use crate::functions::print_table;

/// List each Lambda runtime and what serves it on this machine.
#[derive(Args)]
pub struct Runtimes {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Runtimes {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let catalogue = Catalogue::detect(&DetectOptions::host(crate::settings::cache_dir()?))?;
        let entries = catalogue.entries();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&entries)?);
            return Ok(ExitCode::SUCCESS);
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
        Ok(ExitCode::SUCCESS)
    }
}
