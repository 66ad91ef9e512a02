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
    #[serde(default)]
    pub missing_error: Option<String>,
    #[serde(default)]
    pub error_namespace: String,
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
    #[serde(default)]
    pub also_query: Option<AlsoQuery>,
}

/// What a model no longer says of the query protocol.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlsoQuery {
    pub xml_namespace: String,
    pub endpoint_member: String,
    /// What `<structure>.<member>` is called.
    pub members: BTreeMap<String, String>,
    /// What the keys and values of a map are called.
    pub maps: BTreeMap<String, [String; 2]>,
    /// What an error is called, and what is added to its text.
    pub errors: BTreeMap<String, QueryError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryError {
    pub code: String,
    #[serde(default)]
    pub addition: String,
}

/// Reads the file.
pub fn read(root: &Path) -> Result<Config> {
    let path = root.join("models/services.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("parse {}", path.display()))
}
