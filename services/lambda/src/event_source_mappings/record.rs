//! What is kept of a mapping.

use std::collections::BTreeMap;

use domain::{FunctionName, Qualifier, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Scan, Snapshot, Table};
use tokio::sync::watch;
use uuid::Uuid;
use wire::Error;

use super::settings::Settings;
use super::source::SourceKind;
use crate::Lambda;
use crate::error::Refusal;
use crate::record::arn;

/// Mappings by where they live and their id.
pub static MAPPINGS: Table<(Scope, Uuid), MappingRecord> = Table::new("lambda.event_source_mappings");

/// One mapping, as last written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRecord {
    /// Where it lives.
    pub scope: Scope,
    /// Its id.
    pub id: Uuid,
    /// What is polled.
    pub source_arn: String,
    /// What kind of source that is.
    pub source: SourceKind,
    /// The function that is called.
    pub function: FunctionName,
    /// Which version or alias of it; none is `$LATEST`.
    pub qualifier: Option<Qualifier>,
    /// How.
    pub settings: Settings,
    /// Whether it is to be polled.
    pub is_enabled: bool,
    /// How far the last change has come.
    pub state: MappingState,
    /// When it was last written.
    pub last_modified: Timestamp,
    /// What came of the last batch, as whoever polls has told.
    pub last_processing_result: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// `State`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingState {
    /// Written, not in effect yet.
    Creating,
    /// About to be polled.
    Enabling,
    /// Being polled.
    Enabled,
    /// About to be left alone.
    Disabling,
    /// Not polled.
    Disabled,
    /// Changed, and not in effect yet.
    Updating,
    /// About to be gone.
    Deleting,
}

impl MappingState {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }

    /// Whether something still has to be done to put the record into effect.
    pub fn is_in_transition(self) -> bool {
        !matches!(self, Self::Enabled | Self::Disabled)
    }
}

impl MappingRecord {
    /// The key in [`MAPPINGS`].
    pub fn key(&self) -> (Scope, Uuid) {
        (self.scope.clone(), self.id)
    }

    /// The mapping's own ARN.
    pub fn arn(&self) -> String {
        self.scope.arn("lambda", format_args!("event-source-mapping:{}", self.id))
    }

    /// The ARN of the function, qualified only if the caller's was.
    pub fn function_arn(&self) -> String {
        let arn = arn(&self.scope, &self.function);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }

    /// Whether it is to be polled now.
    pub fn is_polled(&self) -> bool {
        self.is_enabled && self.state != MappingState::Deleting
    }
}

/// Reads `UUID`.
pub fn id(text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| not_found())
}

/// There is no such mapping.
pub fn not_found() -> Error {
    Error::new("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// Reads a mapping, or says that there is none.
pub fn find(snapshot: &Snapshot<'_>, scope: &Scope, id: Uuid) -> Result<MappingRecord, Refusal> {
    Ok(snapshot.get(&MAPPINGS, (scope, id))?.ok_or_else(not_found)?)
}

/// Every mapping of a scope.
pub fn of_scope(snapshot: &Snapshot<'_>, scope: &Scope) -> Result<Vec<MappingRecord>, store::Error> {
    let found = snapshot.scan(&MAPPINGS, &Scan::prefix((scope,)))?;
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

impl Lambda {
    /// Every mapping there is, for whoever polls.
    pub fn mappings(&self) -> Result<Vec<MappingRecord>, store::Error> {
        let found = self.store.read(|snapshot| snapshot.scan(&MAPPINGS, &Scan::all()))?;
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// Rings whenever a mapping was made, changed or deleted.
    pub fn mappings_changed(&self) -> watch::Receiver<()> {
        self.store.watch(&MAPPINGS)
    }

    /// Keeps what came of a batch. Costs nothing if it is what came of the one before.
    pub async fn mapping_processed(&self, scope: Scope, id: Uuid, result: &str) -> Result<(), store::Error> {
        let found = self.store.read(|snapshot| snapshot.get(&MAPPINGS, (&scope, id)))?;
        if found.is_none_or(|record| record.last_processing_result.as_deref() == Some(result)) {
            return Ok(());
        }
        let result = result.to_owned();
        self.store
            .write(move |tx| {
                let Some(mut record) = tx.get(&MAPPINGS, (&scope, id))? else { return Ok(()) };
                record.last_processing_result = Some(result);
                tx.put(&MAPPINGS, (&scope, id), &record)
            })
            .await
    }
}
