//! `models/services.toml`: what to make of each model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Every service, by name.
pub type Config = BTreeMap<String, Service>;

/// One service; the file explains each field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub botocore: String,
    pub output: PathBuf,
    pub constraint_error: String,
    pub malformed_error: String,
    pub quotes_values: bool,
    #[serde(default)]
    pub null_in_collections: bool,
    #[serde(default)]
    pub plain: Vec<String>,
    #[serde(default)]
    pub extra_values: BTreeMap<String, Vec<String>>,
    /// Answers that AWS sends empty although the model requires their members.
    #[serde(default)]
    pub may_be_empty: Vec<String>,
    pub implemented: Vec<String>,
}

/// Reads the file.
pub fn read(root: &Path) -> Result<Config> {
    let path = root.join("models/services.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("parse {}", path.display()))
}
