//! `CreateArchive` and `UpdateArchive`

use pattern::Pattern;
use wire::{Context, Error};

use super::view::state;
use crate::arn::{BusRef, archive_arn};
use crate::error::{Refusal, bad_pattern, exists, not_found, not_supported};
use crate::record::{ARCHIVES, ArchiveRecord};
use crate::{Events, buses, shapes};

/// Begins to keep a bus's events.
pub(crate) async fn create(
    events: Events,
    cx: Context,
    input: shapes::CreateArchiveRequest,
) -> Result<shapes::CreateArchiveResponse, Error> {
    refuse_key(input.kms_key_identifier.as_deref())?;
    let bus = BusRef::parse(&cx.scope, Some(&input.event_source_arn))?;
    let pattern = checked(input.event_pattern)?;
    let record = ArchiveRecord {
        bus: bus.name.clone(),
        description: input.description,
        pattern,
        retention_days: days(input.retention_days),
        created: events.now(),
        events: 0,
        bytes: 0,
    };
    let (name, created) = (input.archive_name, record.created);
    let arn = archive_arn(&cx.scope, &name);
    events
        .write(move |tx| {
            buses::expect(tx, &bus)?;
            if !tx.insert(&ARCHIVES, (&cx.scope, name.as_str()), &record)? {
                return Err(exists(format!("Archive {name} already exists.")).into());
            }
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::CreateArchiveResponse {
        archive_arn: Some(arn),
        state: Some(state()),
        creation_time: Some(created),
        ..Default::default()
    })
}

/// Changes what an archive keeps, and for how long.
pub(crate) async fn update(
    events: Events,
    cx: Context,
    input: shapes::UpdateArchiveRequest,
) -> Result<shapes::UpdateArchiveResponse, Error> {
    refuse_key(input.kms_key_identifier.as_deref())?;
    let pattern = checked(input.event_pattern)?;
    let name = input.archive_name;
    let arn = archive_arn(&cx.scope, &name);
    let record = events
        .write(move |tx| {
            let key = (&cx.scope, name.as_str());
            let found = tx.get(&ARCHIVES, key)?;
            let mut record = found.ok_or_else(|| not_found(format!("Archive {name} does not exist.")))?;
            if input.description.is_some() {
                record.description = input.description;
            }
            if pattern.is_some() {
                record.pattern = pattern;
            }
            if input.retention_days.is_some() {
                record.retention_days = days(input.retention_days);
            }
            tx.put(&ARCHIVES, key, &record)?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    Ok(shapes::UpdateArchiveResponse {
        archive_arn: Some(arn),
        state: Some(state()),
        creation_time: Some(record.created),
        ..Default::default()
    })
}

fn refuse_key(key: Option<&str>) -> Result<(), Error> {
    match key.filter(|key| !key.is_empty()) {
        Some(_) => Err(not_supported("encryption with a KMS key (KmsKeyIdentifier)")),
        None => Ok(()),
    }
}

fn checked(pattern: Option<String>) -> Result<Option<String>, Error> {
    let pattern = pattern.filter(|pattern| !pattern.is_empty());
    if let Some(pattern) = &pattern {
        Pattern::parse(pattern).map_err(|error| bad_pattern(&error))?;
    }
    Ok(pattern)
}

fn days(given: Option<i32>) -> u32 {
    given.and_then(|days| u32::try_from(days).ok()).unwrap_or_default()
}
