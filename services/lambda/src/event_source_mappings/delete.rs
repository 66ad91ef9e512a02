//! `DeleteEventSourceMapping`

use wire::{Context, Error};

use super::record::{MAPPINGS, MappingRecord, MappingState, find, id};
use super::update::in_use;
use super::{settle, view};
use crate::error::Refusal;
use crate::{Lambda, shapes};

/// Marks the mapping as `Deleting`; it is gone once nobody polls for it.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteEventSourceMappingRequest,
) -> Result<shapes::EventSourceMappingConfiguration, Error> {
    let id = id(&input.uuid)?;
    let deleting = lambda
        .store
        .write(move |tx| {
            let before = find(tx, &cx.scope, id)?;
            if before.state.is_in_transition() {
                return Err(in_use("delete").into());
            }
            let after = MappingRecord { state: MappingState::Deleting, ..before };
            tx.put(&MAPPINGS, after.key(), &after)?;
            Ok::<_, Refusal>(after)
        })
        .await?;
    settle::soon(&lambda, &deleting);
    Ok(view::configuration(&deleting))
}
