//! Tags on functions.

use wire::{Context, Error};

use crate::error::{Refusal, invalid_parameter, not_supported};
use crate::functions::{Target, validate_tags};
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// `TagResource`
pub async fn tag(
    lambda: Lambda,
    cx: Context,
    input: shapes::TagResourceRequest,
) -> Result<wire::Unit, Error> {
    change(lambda, &cx, &input.resource, move |tags| {
        tags.extend(input.tags);
        validate_tags(tags)
    })
    .await
}

/// `UntagResource`
pub async fn untag(
    lambda: Lambda,
    cx: Context,
    input: shapes::UntagResourceRequest,
) -> Result<wire::Unit, Error> {
    change(lambda, &cx, &input.resource, move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await
}

/// `ListTags`
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListTagsRequest,
) -> Result<shapes::ListTagsResponse, Error> {
    let target = function(&cx, &input.resource)?;
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    let record = target.expect(found.map_err(crate::error::service)?)?;
    Ok(shapes::ListTagsResponse { tags: Some(record.tags) })
}

async fn change(
    lambda: Lambda,
    cx: &Context,
    resource: &str,
    change: impl FnOnce(&mut std::collections::BTreeMap<String, String>) -> Result<(), Error> + Send + 'static,
) -> Result<wire::Unit, Error> {
    let target = function(cx, resource)?;
    lambda
        .store
        .write(move |tx| {
            let mut record = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            if record.last_update == Some(crate::record::UpdateStatus::InProgress) {
                return Err(Refusal::from(crate::error::update_in_progress(&record.arn())));
            }
            change(&mut record.tags)?;
            tx.put(&FUNCTIONS, target.key(), &record)?;
            Ok(())
        })
        .await?;
    Ok(wire::Unit::default())
}

/// Tags are on functions (and, later, on what else the ARN pattern names), never on versions or aliases.
fn function(cx: &Context, resource: &str) -> Result<Target, Error> {
    let kind = resource.split(':').nth(5).unwrap_or_default();
    if kind != "function" {
        return Err(not_supported(&format!("tags on {kind} resources")));
    }
    let target = Target::parse(cx, resource, None)?;
    if target.qualifier.is_some() {
        return Err(invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    Ok(target)
}
