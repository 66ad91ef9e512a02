//! What is stored of buses, rules, archives and replays.

use std::collections::BTreeMap;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Table};

/// Custom buses, and what was set of the default one.
pub(crate) static BUSES: Table<(Scope, String), BusRecord> = Table::of(Domain::Events, "events.buses");
/// Rules by bus and name.
pub(crate) static RULES: Table<(Scope, String, String), RuleRecord> =
    Table::of(Domain::Events, "events.rules");
/// Archives by name.
pub(crate) static ARCHIVES: Table<(Scope, String), ArchiveRecord> =
    Table::of(Domain::Events, "events.archives");
/// Events in archives: by archive, time and number.
pub(crate) static ARCHIVED: Table<(Scope, String, i64, String), String> =
    Table::of(Domain::Events, "events.archived");
/// Replays by name.
pub(crate) static REPLAYS: Table<(Scope, String), ReplayRecord> = Table::of(Domain::Events, "events.replays");

/// The bus that every account has.
pub(crate) const DEFAULT_BUS: &str = "default";

/// One bus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BusRecord {
    pub(crate) description: Option<String>,
    pub(crate) policy: Option<serde_json::Value>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
}

/// One rule, with its targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleRecord {
    pub(crate) pattern: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) targets: Vec<TargetRecord>,
    /// The account that made it.
    pub(crate) created_by: String,
    /// From when its schedule counts.
    pub(crate) since: Timestamp,
    /// The last moment at which its schedule was due and it fired.
    pub(crate) fired: Option<Timestamp>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetRecord {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) input: Input,
    /// `SqsParameters.MessageGroupId`
    pub(crate) group_id: Option<String>,
    /// `RetryPolicy`, as far as it was given.
    pub(crate) retries: Option<u32>,
    pub(crate) age_seconds: Option<u64>,
    /// `DeadLetterConfig.Arn`
    pub(crate) dead_letter: Option<String>,
}

/// What a target gets of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Input {
    /// All of it.
    Event,
    /// Always the same JSON text.
    Constant(String),
    /// A part of it.
    Path(String),
    /// A text made from parts of it.
    Template { paths: BTreeMap<String, String>, template: String },
}

/// One archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArchiveRecord {
    pub(crate) bus: String,
    pub(crate) description: Option<String>,
    pub(crate) pattern: Option<String>,
    /// Zero keeps events for ever.
    pub(crate) retention_days: u32,
    pub(crate) created: Timestamp,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// One replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReplayRecord {
    pub(crate) description: Option<String>,
    pub(crate) archive: String,
    pub(crate) bus: String,
    /// Rules that see the events; empty means all.
    pub(crate) rules: Vec<String>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) state: ReplayState,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    /// The key of the event that was replayed last.
    pub(crate) last: Option<(i64, String)>,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReplayState {
    Running,
    Completed,
    Cancelled,
}
