//! `DescribeLogGroups`

use std::ops::ControlFlow;

use domain::Scope;
use store::{Scan, Snapshot};
use wire::{Context, Error};

use super::target::{arn, of_identifier};
use crate::Logs;
use crate::error::{Refusal, invalid_parameter, invalid_token, not_supported};
use crate::record::{GROUP_BYTES, GROUPS, GroupRecord};
use crate::shapes::{DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass};

/// Groups to a page, unless the caller wants fewer.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>
const PAGE_MAX: usize = 50;
/// A token is the last name of the page before, marked so that it is not taken for a parameter of the caller's.
const TOKEN_MARK: &str = "after:";

/// A page of groups, in the order of their names.
pub async fn describe(
    logs: Logs,
    cx: Context,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, Error> {
    refuse_unsupported(&input)?;
    if input.log_group_class.is_some_and(|class| class != LogGroupClass::Standard) {
        // No other class can be created, so there is none to show.
        return Ok(DescribeLogGroupsResponse { log_groups: Some(Vec::new()), next_token: None });
    }
    if let Some(identifiers) = &input.log_group_identifiers {
        return of_identifiers(&logs, &cx, &input, identifiers);
    }
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit =
        input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    logs.read(|snapshot| {
        let mut found = names_and_records(snapshot, &cx.scope, &input, limit + 1)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_token = found.last().filter(|_| more).map(|(name, _)| format!("{TOKEN_MARK}{name}"));
        let with_details = input.log_group_name_pattern.as_deref().is_none_or(str::is_empty);
        let shown = found.iter().map(|(name, record)| match with_details {
            true => details(snapshot, &cx.scope, name, record),
            false => Ok(essentials(&cx.scope, name, record)),
        });
        Ok(DescribeLogGroupsResponse { log_groups: Some(shown.collect::<Result<_, Refusal>>()?), next_token })
    })
}

fn refuse_unsupported(input: &DescribeLogGroupsRequest) -> Result<(), Error> {
    if input.include_linked_accounts == Some(true)
        || input.account_identifiers.as_ref().is_some_and(|ids| !ids.is_empty())
    {
        return Err(not_supported("linked accounts"));
    }
    Ok(())
}

fn names_and_records(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    input: &DescribeLogGroupsRequest,
    wanted: usize,
) -> Result<Vec<(String, GroupRecord)>, Refusal> {
    let mut scan =
        Scan::prefix((scope,)).starting_with(input.log_group_name_prefix.as_deref().unwrap_or_default());
    if let Some(token) = &input.next_token {
        let name = token.strip_prefix(TOKEN_MARK).ok_or_else(invalid_token)?;
        scan = scan.after((scope, name));
    }
    let pattern = input.log_group_name_pattern.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    snapshot.visit(&GROUPS, &scan, |(_, name), record| {
        if name.contains(pattern) {
            found.push((name, record));
        }
        if found.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

/// The named groups; names that no group has are left out.
fn of_identifiers(
    logs: &Logs,
    cx: &Context,
    input: &DescribeLogGroupsRequest,
    identifiers: &[String],
) -> Result<DescribeLogGroupsResponse, Error> {
    if input.log_group_name_prefix.is_some() || input.log_group_name_pattern.is_some() {
        return Err(invalid_parameter(
            "logGroupIdentifiers cannot be combined with logGroupNamePrefix or logGroupNamePattern.",
        ));
    }
    let names = identifiers.iter().map(|identifier| of_identifier(cx, identifier.clone()));
    let names = names.collect::<Result<std::collections::BTreeSet<_>, _>>()?;
    logs.read(|snapshot| {
        let mut shown = Vec::new();
        for name in &names {
            if let Some(record) = snapshot.get(&GROUPS, (&cx.scope, name))? {
                shown.push(details(snapshot, &cx.scope, name, &record)?);
            }
        }
        Ok(DescribeLogGroupsResponse { log_groups: Some(shown), next_token: None })
    })
}

fn essentials(scope: &Scope, name: &str, record: &GroupRecord) -> LogGroup {
    LogGroup {
        log_group_name: Some(name.to_owned()),
        creation_time: Some(record.created.0),
        arn: Some(format!("{}:*", arn(scope, name))),
        ..Default::default()
    }
}

fn details(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    name: &str,
    record: &GroupRecord,
) -> Result<LogGroup, Refusal> {
    let bytes = snapshot.get(&GROUP_BYTES, &record.id)?.unwrap_or_default();
    Ok(LogGroup {
        retention_in_days: record.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        stored_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        log_group_class: Some(LogGroupClass::Standard),
        log_group_arn: Some(arn(scope, name)),
        deletion_protection_enabled: Some(false),
        ..essentials(scope, name, record)
    })
}
