//! `GetEventSourceMapping`

use wire::{Context, Error};

use super::record::{find, id};
use super::view;
use crate::{Lambda, shapes};

/// One mapping.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetEventSourceMappingRequest,
) -> Result<shapes::EventSourceMappingConfiguration, Error> {
    let id = id(&input.uuid)?;
    let record = lambda.store.read(|snapshot| find(snapshot, &cx.scope, id))?;
    Ok(view::configuration(&record))
}
