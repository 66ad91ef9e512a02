//! What is stored of groups and schedules.

use std::collections::BTreeMap;

use domain::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Domain, Table};

/// Groups by name; the default one is there without a record.
pub(crate) static GROUPS: Table<(Scope, String), GroupRecord> = Table::of(Domain::Events, "scheduler.groups");
/// Schedules by group and name.
pub(crate) static SCHEDULES: Table<(Scope, String, String), ScheduleRecord> =
    Table::of(Domain::Events, "scheduler.schedules");

/// The group of schedules that name none.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) client_token: Option<String>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScheduleRecord {
    pub(crate) expression: String,
    /// An IANA name; none means UTC.
    pub(crate) timezone: Option<String>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) description: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) target: TargetRecord,
    /// `FlexibleTimeWindow`, if it is on.
    pub(crate) window_minutes: Option<u32>,
    pub(crate) delete_after_completion: bool,
    pub(crate) client_token: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// The last moment at which it was due and fired.
    pub(crate) fired: Option<Timestamp>,
}

impl ScheduleRecord {
    /// Whether both came of the same request, whenever it was sent.
    pub(crate) fn says_what(&self, other: &Self) -> bool {
        let Self { created, modified, fired, .. } = *self;
        *self == Self { created, modified, fired, ..other.clone() }
    }
}

/// What a schedule calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetRecord {
    pub(crate) arn: String,
    pub(crate) role_arn: String,
    pub(crate) input: Option<String>,
    /// `SqsParameters.MessageGroupId`
    pub(crate) group_id: Option<String>,
    /// `EventBridgeParameters`: source and detail type.
    pub(crate) event: Option<(String, String)>,
    pub(crate) retries: Option<u32>,
    pub(crate) age_seconds: Option<u64>,
    pub(crate) dead_letter: Option<String>,
}

pub(crate) fn schedule_arn(scope: &Scope, group: &str, name: &str) -> String {
    scope.arn("scheduler", format_args!("schedule/{group}/{name}"))
}

pub(crate) fn group_arn(scope: &Scope, group: &str) -> String {
    scope.arn("scheduler", format_args!("schedule-group/{group}"))
}
