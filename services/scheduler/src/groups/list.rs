//! `ListScheduleGroups`

use std::collections::BTreeMap;

use store::Scan;
use wire::{Context, Error};

use crate::record::{DEFAULT_GROUP, GROUPS, group_arn};
use crate::{Scheduler, page, shapes};

/// A page of groups, in the order of their names.
pub(crate) async fn list(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::ListScheduleGroupsInput,
) -> Result<shapes::ListScheduleGroupsOutput, Error> {
    let all = scheduler.read(|snapshot| {
        let stored = snapshot.scan(&GROUPS, &Scan::prefix((&cx.scope,)))?;
        let mut all: BTreeMap<_, _> = stored.into_iter().map(|((_, name), record)| (name, record)).collect();
        all.insert(DEFAULT_GROUP.to_owned(), super::expect(snapshot, &cx.scope, DEFAULT_GROUP)?);
        Ok(all)
    })?;
    let prefix = input.name_prefix.unwrap_or_default();
    let shown = all.into_iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(name, record)| {
        let summary = shapes::ScheduleGroupSummary {
            arn: Some(group_arn(&cx.scope, &name)),
            name: Some(name.clone()),
            state: Some(shapes::ScheduleGroupState::Active),
            creation_date: Some(record.created),
            last_modification_date: Some(record.modified),
        };
        (name, summary)
    });
    let (schedule_groups, next_token) = page::page(shown, input.next_token.as_deref(), input.max_results)?;
    Ok(shapes::ListScheduleGroupsOutput { schedule_groups, next_token })
}
