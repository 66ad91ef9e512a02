//! What is stored of a function, and the two things it becomes: the API's view and the engine's snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{
    CodeRef, FunctionName, FunctionVersion, LogFormat, LoggingConfig, Runtime, Scope, Timestamp, TracingMode,
    Version,
};
use serde::{Deserialize, Serialize};
use store::{Snapshot, Table, Tx};
use uuid::Uuid;

use crate::functions::Connections;
use crate::layers::LayerReference;
use crate::variables::Variables;
use crate::versions::VERSIONS;

/// Functions by where they live and what they are called.
pub static FUNCTIONS: Table<(Scope, FunctionName), FunctionRecord> = Table::new("lambda.functions");

/// One function: its configuration as last written, and how far putting it into effect has come. A published version is
/// such a record, too, in a table of its own ([`crate::versions::VERSIONS`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// Where it lives.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// `$LATEST`, or the number of a published version.
    #[serde(default = "latest")]
    pub version: Version,
    /// The runtime's id.
    pub runtime: Runtime,
    /// `module.function`
    pub handler: String,
    /// The execution role's ARN.
    pub role: String,
    /// Free text.
    pub description: String,
    /// Of a version that was published with a description of its own: the one that `$LATEST` had.
    #[serde(default)]
    pub described: Option<String>,
    /// The deployment package.
    pub code: Code,
    /// Layers, lowest first.
    #[serde(default)]
    pub layers: Vec<LayerReference>,
    /// In MB.
    pub memory_mb: u32,
    /// In seconds.
    pub timeout_seconds: u32,
    /// The size of `/tmp`, in MB.
    pub ephemeral_storage_mb: u32,
    /// Environment variables, and the key that they are kept under.
    pub environment: Variables,
    /// `x86_64` or `arm64`, as the caller said.
    pub architecture: String,
    /// `TracingConfig.Mode`
    pub tracing: TracingMode,
    /// `LoggingConfig`
    pub logging: LoggingConfig,
    /// `SnapStart.ApplyOn` is `PublishedVersions`.
    #[serde(default)]
    pub snap_start: bool,
    /// `TenancyConfig.TenantIsolationMode` is `PER_TENANT`.
    #[serde(default)]
    pub per_tenant: bool,
    /// What the function is connected to.
    #[serde(default)]
    pub connections: Connections,
    /// Tags, which live on the function and not on its versions.
    pub tags: BTreeMap<String, String>,
    /// When code or configuration last changed.
    pub last_modified: Timestamp,
    /// Changes with every change, those of state included.
    pub revision_id: Uuid,
    /// Changes only with code and configuration: environments belong to it.
    pub revision: Uuid,
    /// What served the runtime when the function was last written, such as `python:3.12.7`.
    pub runtime_version: String,
    /// How far creation has come.
    pub state: State,
    /// How far the last update has come; none before the function was first active.
    pub last_update: Option<UpdateStatus>,
    /// While an update is in progress: the function as it was, which runs until then and stays if the update fails.
    #[serde(default)]
    pub before_update: Option<Box<FunctionRecord>>,
}

/// A package in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the zip, lower-case hex.
    pub sha256: CodeRef,
    /// The zip's size, in bytes.
    pub size: u64,
    /// Its contents' size, in bytes.
    pub unpacked_size: u64,
    /// The version of the signing profile that signed it, if the function has a code signing configuration that trusts
    /// it.
    #[serde(default)]
    pub signed_by: Option<String>,
}

/// `State`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Being created.
    Pending,
    /// Can be invoked.
    Active,
    /// Could not be created; only deletion helps.
    Failed {
        /// What went wrong.
        reason: String,
        /// `StateReasonCode`, unless it is an error of Hearth's own.
        #[serde(default)]
        code: Option<String>,
    },
}

/// `LastUpdateStatus`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateStatus {
    /// In effect.
    Successful,
    /// Being put into effect.
    InProgress,
    /// Could not be put into effect.
    Failed {
        /// What went wrong.
        reason: String,
    },
}

impl FunctionRecord {
    /// The key in [`FUNCTIONS`].
    pub fn key(&self) -> (Scope, FunctionName) {
        (self.scope.clone(), self.name.clone())
    }

    /// Reads one version of a function.
    pub fn read(
        snapshot: &Snapshot<'_>,
        scope: &Scope,
        name: &FunctionName,
        version: Version,
    ) -> Result<Option<Self>, store::Error> {
        match version {
            Version::Latest => snapshot.get(&FUNCTIONS, (scope, name)),
            Version::Number(number) => snapshot.get(&VERSIONS, (scope, name, number)),
        }
    }

    /// Writes it where its version belongs.
    pub fn write(&self, tx: &mut Tx<'_>) -> Result<(), store::Error> {
        match self.version {
            Version::Latest => tx.put(&FUNCTIONS, (&self.scope, &self.name), self),
            Version::Number(number) => tx.put(&VERSIONS, (&self.scope, &self.name, number), self),
        }
    }

    /// The ARN without a qualifier.
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.name)
    }

    /// `RuntimeVersionConfig.RuntimeVersionArn`
    pub fn runtime_version_arn(&self) -> String {
        engine::runtime_version_arn(&self.scope.region, &self.runtime_version)
    }

    /// Whether its environments are initialised when it is published: `$LATEST` only says so for the versions to come.
    pub fn is_snap_start(&self) -> bool {
        self.snap_start && self.version != Version::Latest
    }

    /// Whether something still has to be done to put the record into effect.
    pub fn is_in_transition(&self) -> bool {
        self.state == State::Pending || self.last_update == Some(UpdateStatus::InProgress)
    }

    /// The record once it is in effect.
    pub fn settled(mut self) -> Self {
        self.state = State::Active;
        self.last_update = Some(UpdateStatus::Successful);
        self.before_update = None;
        self.revision_id = Uuid::new_v4();
        self
    }

    /// The record once it is clear that it cannot be put into effect: a create that failed leaves a function that can
    /// only be deleted, an update that failed leaves the function as it was.
    pub fn failed(mut self, reason: &str) -> Self {
        let reason = reason.to_owned();
        self.revision_id = Uuid::new_v4();
        if self.state == State::Pending {
            self.state = State::Failed { reason, code: None };
            return self;
        }
        let status = Some(UpdateStatus::Failed { reason });
        match self.before_update.take() {
            Some(before) => {
                Self { last_update: status, revision_id: self.revision_id, tags: self.tags, ..*before }
            }
            None => Self { last_update: status, ..self },
        }
    }

    /// An update of this record: `change` is its new content, still to be put into effect.
    pub fn updating(self, change: impl FnOnce(Self) -> Self) -> Self {
        let after = change(self.clone());
        Self {
            revision_id: Uuid::new_v4(),
            revision: Uuid::new_v4(),
            last_update: Some(UpdateStatus::InProgress),
            before_update: Some(Box::new(Self { before_update: None, ..self })),
            ..after
        }
    }

    /// What invocations run now: while an update is in progress, the function as it was.
    pub fn in_effect(&self) -> &Self {
        self.before_update.as_deref().unwrap_or(self)
    }

    /// The layers' archives, lowest first.
    pub fn layer_codes(&self) -> Vec<CodeRef> {
        self.layers.iter().map(|layer| layer.code.sha256.clone()).collect()
    }

    /// What the engine runs.
    pub fn function_version(&self) -> FunctionVersion {
        FunctionVersion {
            scope: self.scope.clone(),
            name: self.name.clone(),
            version: self.version,
            revision: self.revision,
            runtime: self.runtime,
            handler: self.handler.clone(),
            role: self.role.clone(),
            code: self.code.sha256.clone(),
            layers: self.layer_codes(),
            environment: self.environment.values.clone().unwrap_or_default(),
            memory_mib: self.memory_mb,
            timeout: Duration::from_secs(self.timeout_seconds.into()),
            ephemeral_storage_mib: self.ephemeral_storage_mb,
            logging: self.logging.clone(),
            tracing: self.tracing,
            snap_start: self.is_snap_start(),
            per_tenant: self.per_tenant,
        }
    }
}

/// What records say that were written before versions could be published.
fn latest() -> Version {
    Version::Latest
}

/// A function's ARN without a qualifier.
pub fn arn(scope: &Scope, name: &FunctionName) -> String {
    scope.arn("lambda", format_args!("function:{name}"))
}

/// The group a function logs to unless told otherwise.
pub fn default_log_group(name: &FunctionName) -> String {
    format!("/aws/lambda/{name}")
}

/// `LoggingConfig` of a function that was given none.
pub fn default_logging(name: &FunctionName) -> LoggingConfig {
    LoggingConfig {
        group: default_log_group(name),
        format: LogFormat::Text,
        application_level: None,
        system_level: None,
    }
}
