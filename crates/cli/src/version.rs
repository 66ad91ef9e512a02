//! `hearth version`

use std::process::ExitCode;

use clap::Args;

/// Print the version.
#[derive(Args)]
pub struct Version {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Version {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            println!("{}", serde_json::json!({ "version": version }));
        } else {
            println!("hearth {version}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
