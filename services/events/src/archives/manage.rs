//! `DescribeArchive`, `ListArchives`, `DeleteArchive`

use store::Scan;
use wire::{Context, Error};

use super::view;
use crate::arn::{archive_arn, bus_arn};
use crate::error::{Refusal, not_found, validation};
use crate::record::{ARCHIVED, ARCHIVES, REPLAYS, ReplayState};
use crate::{Events, page, shapes};

/// What is known of an archive.
pub(crate) async fn describe(
    events: Events,
    cx: Context,
    input: shapes::DescribeArchiveRequest,
) -> Result<shapes::DescribeArchiveResponse, Error> {
    let name = input.archive_name;
    let record = events.read(|snapshot| {
        let found = snapshot.get(&ARCHIVES, (&cx.scope, name.as_str()))?;
        Ok(found.ok_or_else(|| not_found(format!("Archive {name} does not exist.")))?)
    })?;
    let shown = view::archive(&cx.scope, &name, &record);
    Ok(shapes::DescribeArchiveResponse {
        archive_arn: Some(archive_arn(&cx.scope, &name)),
        archive_name: shown.archive_name,
        event_source_arn: shown.event_source_arn,
        description: record.description,
        event_pattern: record.pattern,
        state: shown.state,
        retention_days: shown.retention_days,
        size_bytes: shown.size_bytes,
        event_count: shown.event_count,
        creation_time: shown.creation_time,
        ..Default::default()
    })
}

/// A page of archives.
pub(crate) async fn list(
    events: Events,
    cx: Context,
    input: shapes::ListArchivesRequest,
) -> Result<shapes::ListArchivesResponse, Error> {
    let all = events.read(|snapshot| Ok(snapshot.scan(&ARCHIVES, &Scan::prefix((&cx.scope,)))?))?;
    let prefix = input.name_prefix.unwrap_or_default();
    let wanted = all.into_iter().filter(|((_, name), record)| {
        let of_source =
            input.event_source_arn.as_ref().is_none_or(|arn| *arn == bus_arn(&cx.scope, &record.bus));
        name.starts_with(&prefix)
            && of_source
            && input.state.as_ref().is_none_or(|state| *state == view::state())
    });
    let shown = wanted.map(|((scope, name), record)| (name.clone(), view::archive(&scope, &name, &record)));
    let (archives, next_token) = page::page(shown, input.next_token.as_deref(), input.limit)?;
    Ok(shapes::ListArchivesResponse { archives: Some(archives), next_token })
}

/// Deletes an archive with its events.
pub(crate) async fn delete(
    events: Events,
    cx: Context,
    input: shapes::DeleteArchiveRequest,
) -> Result<shapes::DeleteArchiveResponse, Error> {
    let name = input.archive_name;
    events
        .write(move |tx| {
            if !tx.contains(&ARCHIVES, (&cx.scope, name.as_str()))? {
                return Err(not_found(format!("Archive {name} does not exist.")).into());
            }
            let replays = tx.scan(&REPLAYS, &Scan::prefix((&cx.scope,)))?;
            if replays
                .iter()
                .any(|(_, replay)| replay.archive == name && replay.state == ReplayState::Running)
            {
                return Err(validation(format!("Archive {name} is being replayed.")).into());
            }
            tx.delete_prefix(&ARCHIVED, (&cx.scope, name.as_str()))?;
            tx.delete(&ARCHIVES, (&cx.scope, name.as_str()))?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::DeleteArchiveResponse::default())
}
