//! What the engine must know to run a function: one immutable snapshot of its code and configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{FunctionName, Runtime, Scope};

/// `$LATEST` or a published number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// The version that updates change.
    Latest,
    /// A published, immutable version.
    Number(u64),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A deployment package, by the SHA-256 of its zip in lower-case hex: the same bytes are unpacked once and shared. Or a
/// folder of the developer's, by its absolute path, which runs as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CodeRef(pub String);

impl CodeRef {
    /// A folder, if its path is absolute and text.
    pub fn of_folder(path: &Path) -> Option<Self> {
        path.to_str().filter(|_| path.is_absolute()).map(|path| Self(path.to_owned()))
    }

    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&Path> {
        self.0.starts_with('/').then(|| Path::new(&self.0))
    }
}

/// `LoggingConfig.LogFormat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// Lines as the function prints them.
    #[default]
    Text,
    /// One JSON object a line.
    #[serde(rename = "JSON")]
    Json,
}

/// Where and how a function's lines are logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggingConfig {
    /// The log group's name.
    pub group: String,
    /// Text or JSON.
    pub format: LogFormat,
    /// `ApplicationLogLevel`; only with JSON.
    pub application_level: Option<String>,
    /// `SystemLogLevel`; only with JSON.
    pub system_level: Option<String>,
}

/// `TracingConfig.Mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TracingMode {
    /// Sample and record.
    Active,
    /// Forward the caller's header.
    #[default]
    PassThrough,
}

/// One version of a function at one moment. Any change of code or configuration makes a new one, with a new
/// [`revision`](Self::revision); execution environments belong to a revision and are never shared across two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionVersion {
    /// Where the function lives.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// Which version this is.
    pub version: Version,
    /// Identifies this snapshot.
    pub revision: Uuid,
    /// What runs it.
    pub runtime: Runtime,
    /// `module.function`, as the runtime understands it.
    pub handler: String,
    /// The execution role's ARN.
    pub role: String,
    /// The deployment package.
    pub code: CodeRef,
    /// Layers, lowest first.
    pub layers: Vec<CodeRef>,
    /// The user's environment variables.
    pub environment: BTreeMap<String, String>,
    /// `MemorySize`, in MB (Lambda's MB are MiB).
    pub memory_mib: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// The size of `/tmp`.
    pub ephemeral_storage_mib: u32,
    /// Where its lines go.
    pub logging: LoggingConfig,
    /// Tracing.
    pub tracing: TracingMode,
    /// Whether it is published with SnapStart: its environments are initialised when it is published.
    pub snap_start: bool,
    /// Whether each of its environments is for one tenant alone.
    pub per_tenant: bool,
}

impl FunctionVersion {
    /// The function's ARN without a qualifier.
    pub fn function_arn(&self) -> String {
        self.scope.arn("lambda", format_args!("function:{}", self.name))
    }
}
