//! Tags of groups. Schedules have none.

use std::collections::BTreeMap;

use domain::limits::TAGS;
use wire::{Context, Error};

use crate::error::{Refusal, validation};
use crate::record::{GROUPS, group_arn};
use crate::{Scheduler, shapes};

type Tags = BTreeMap<String, String>;

/// The tags of a group in the making.
pub(super) fn of_new(given: Option<Vec<shapes::Tag>>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    add(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

fn add(tags: &mut Tags, given: Vec<shapes::Tag>) -> Result<(), Error> {
    if given.iter().any(|tag| tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        return Err(validation("Tag keys that start with aws: are reserved."));
    }
    tags.extend(given.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.len() > TAGS {
        return Err(validation(format!("A resource can have no more than {TAGS} tags.")));
    }
    Ok(())
}

/// `TagResource`
pub(crate) async fn tag(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::TagResourceInput,
) -> Result<shapes::TagResourceOutput, Error> {
    change(scheduler, cx, &input.resource_arn, move |tags| add(tags, input.tags)).await?;
    Ok(shapes::TagResourceOutput::default())
}

/// `UntagResource`
pub(crate) async fn untag(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::UntagResourceInput,
) -> Result<shapes::UntagResourceOutput, Error> {
    change(scheduler, cx, &input.resource_arn, move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(shapes::UntagResourceOutput::default())
}

/// `ListTagsForResource`
pub(crate) async fn list(
    scheduler: Scheduler,
    cx: Context,
    input: shapes::ListTagsForResourceInput,
) -> Result<shapes::ListTagsForResourceOutput, Error> {
    let name = group_of(&cx, &input.resource_arn)?;
    let record = scheduler.read(|snapshot| super::expect(snapshot, &cx.scope, &name))?;
    let shown = |(key, value)| shapes::Tag { key, value };
    Ok(shapes::ListTagsForResourceOutput { tags: Some(record.tags.into_iter().map(shown).collect()) })
}

async fn change(
    scheduler: Scheduler,
    cx: Context,
    arn: &str,
    change: impl FnOnce(&mut Tags) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let name = group_of(&cx, arn)?;
    scheduler
        .write(move |tx| {
            let mut record = super::expect(tx, &cx.scope, &name)?;
            change(&mut record.tags)?;
            tx.put(&GROUPS, (&cx.scope, name.as_str()), &record)?;
            Ok::<_, Refusal>(())
        })
        .await
}

fn group_of(cx: &Context, arn: &str) -> Result<String, Error> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    if arn == group_arn(&cx.scope, name) {
        return Ok(name.to_owned());
    }
    Err(Error::new(
        "ResourceNotFoundException",
        format!("{arn} is not a schedule group of this account and region."),
    ))
}
