//! What is stored of layers, and what a function keeps of those it uses.

use std::ops::ControlFlow;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Scan, Snapshot, Store, Table};
use wire::Error;

use super::policy::Policy;
use crate::record::Code;

/// Layers by where they live and what they are called. A layer outlives its versions, so that no number is used twice.
pub static LAYERS: Table<(Scope, String), LayerRecord> = Table::new("lambda.layers");

/// Versions of layers, by the layer and their number.
pub static LAYER_VERSIONS: Table<(Scope, String, u64), LayerVersionRecord> =
    Table::new("lambda.layer_versions");

/// What is known of a layer besides its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// The highest number given to a version so far.
    pub version_last: u64,
}

/// One version of a layer. Only its policy changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVersionRecord {
    /// Where the layer lives.
    pub scope: Scope,
    /// The layer's name.
    pub name: String,
    /// The version's number, from 1.
    pub version: u64,
    /// The archive.
    pub code: Code,
    /// Free text.
    pub description: String,
    /// `LicenseInfo`
    pub license: Option<String>,
    /// `CompatibleRuntimes`: says what it is for, and forbids nothing.
    pub runtimes: Option<Vec<String>>,
    /// `CompatibleArchitectures`, likewise.
    pub architectures: Option<Vec<String>>,
    /// When it was published.
    pub created: Timestamp,
    /// Who may use it besides its own account; none before the first statement was added.
    pub policy: Option<Policy>,
}

impl LayerVersionRecord {
    /// The key in [`LAYER_VERSIONS`].
    pub fn key(&self) -> (Scope, String, u64) {
        (self.scope.clone(), self.name.clone(), self.version)
    }

    /// The ARN of the layer.
    pub fn layer_arn(&self) -> String {
        layer_arn(&self.scope, &self.name)
    }

    /// The ARN of this version.
    pub fn arn(&self) -> String {
        version_arn(&self.scope, &self.name, self.version)
    }
}

/// What a function keeps of a layer version: enough to run without the version's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReference {
    /// The version's ARN.
    pub arn: String,
    /// Its archive.
    pub code: Code,
}

/// A layer's ARN.
pub fn layer_arn(scope: &Scope, name: &str) -> String {
    scope.arn("lambda", format_args!("layer:{name}"))
}

/// A layer version's ARN.
pub fn version_arn(scope: &Scope, name: &str, version: impl std::fmt::Display) -> String {
    scope.arn("lambda", format_args!("layer:{name}:{version}"))
}

/// The SHA-256 of every stored version's archive.
pub fn stored_codes(store: &Store) -> Result<Vec<String>, Error> {
    let mut codes = Vec::new();
    let visited = store.read(|snapshot| {
        snapshot.visit(&LAYER_VERSIONS, &Scan::all(), |_, version| {
            codes.push(version.code.sha256.0);
            ControlFlow::Continue(())
        })
    });
    visited.map_err(crate::error::service)?;
    Ok(codes)
}

/// What the versions of an account's layers in a region take of its code storage, in bytes.
pub fn stored_bytes(snapshot: &Snapshot<'_>, scope: &Scope) -> Result<u64, store::Error> {
    let mut bytes = 0;
    snapshot.visit(&LAYER_VERSIONS, &Scan::prefix((scope,)), |_, version| {
        bytes += version.code.size;
        ControlFlow::Continue(())
    })?;
    Ok(bytes)
}
