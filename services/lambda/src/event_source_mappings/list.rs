//! `ListEventSourceMappings`

use uuid::Uuid;
use wire::{Context, Error};

use super::record::{MappingRecord, of_scope};
use super::view;
use crate::functions::Target;
use crate::pages::Page;
use crate::{Lambda, shapes};

/// Mappings in the order of their ids, perhaps only those of one source, or of one function, version or alias.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListEventSourceMappingsRequest,
) -> Result<shapes::ListEventSourceMappingsResponse, Error> {
    let page = Page::<Uuid>::parse(input.marker.as_deref(), input.max_items)?;
    let target = input.function_name.as_deref().map(|name| Target::parse(&cx, name, None)).transpose()?;
    let source = input.event_source_arn.filter(|arn| !arn.is_empty());
    let is_meant = |record: &MappingRecord| {
        source.as_ref().is_none_or(|source| record.source_arn == *source)
            && target
                .as_ref()
                .is_none_or(|target| record.function == target.name && record.qualifier == target.qualifier)
            && page.after.is_none_or(|after| record.id > after)
    };
    let found = lambda.store.read(|snapshot| of_scope(snapshot, &cx.scope)).map_err(crate::error::service)?;
    let found = found.into_iter().filter(is_meant).take(page.limit()).collect();
    let (found, next_marker) = page.cut(found, |record: &MappingRecord| record.id);
    Ok(shapes::ListEventSourceMappingsResponse {
        next_marker,
        event_source_mappings: Some(found.iter().map(view::configuration).collect()),
    })
}
