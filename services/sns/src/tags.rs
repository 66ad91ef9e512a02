//! Tags of topics.

use std::collections::BTreeMap;

use domain::limits::TAGS;
use wire::{Context, Error};

use crate::arn::TopicArn;
use crate::error::{Refusal, invalid};
use crate::record::TOPICS;
use crate::{Sns, access, shapes};

type Tags = BTreeMap<String, String>;

/// The tags of a topic in the making.
pub(crate) fn of_new(given: Option<Vec<shapes::Tag>>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    add(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

fn add(tags: &mut Tags, given: Vec<shapes::Tag>) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for tag in &given {
        if !seen.insert(tag.key.as_str()) {
            return Err(invalid("Duplicated keys are not allowed."));
        }
        if tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(invalid("Tag Reason: Tag keys that start with aws: are reserved"));
        }
    }
    tags.extend(given.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.len() > TAGS {
        return Err(Error::new(
            "TagLimitExceeded",
            "Could not complete request: tag quota of per resource exceeded",
        ));
    }
    Ok(())
}

/// `TagResource`
pub(crate) async fn tag(
    sns: Sns,
    cx: Context,
    input: shapes::TagResourceRequest,
) -> Result<shapes::TagResourceResponse, Error> {
    change(sns, cx, &input.resource_arn, "sns:TagResource", |tags| add(tags, input.tags)).await?;
    Ok(shapes::TagResourceResponse::default())
}

/// `UntagResource`
pub(crate) async fn untag(
    sns: Sns,
    cx: Context,
    input: shapes::UntagResourceRequest,
) -> Result<shapes::UntagResourceResponse, Error> {
    change(sns, cx, &input.resource_arn, "sns:UntagResource", move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(shapes::UntagResourceResponse::default())
}

/// `ListTagsForResource`
pub(crate) async fn list(
    sns: Sns,
    _: Context,
    input: shapes::ListTagsForResourceRequest,
) -> Result<shapes::ListTagsForResourceResponse, Error> {
    let arn = TopicArn::parse(&input.resource_arn).map_err(|_| no_resource())?;
    let topic = sns.read(|snapshot| Ok(snapshot.get(&TOPICS, arn.key())?.ok_or_else(no_resource)?))?;
    let shown = |(key, value)| shapes::Tag { key, value };
    Ok(shapes::ListTagsForResourceResponse { tags: Some(topic.tags.into_iter().map(shown).collect()) })
}

async fn change(
    sns: Sns,
    cx: Context,
    arn: &str,
    action: &'static str,
    change: impl FnOnce(&mut Tags) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let arn = TopicArn::parse(arn).map_err(|_| no_resource())?;
    sns.write(move |tx| {
        let mut topic = tx.get(&TOPICS, arn.key())?.ok_or_else(no_resource)?;
        access::check(&cx, &arn, &topic, action)?;
        change(&mut topic.tags)?;
        tx.put(&TOPICS, arn.key(), &topic)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(())
}

fn no_resource() -> Error {
    Error::new("ResourceNotFound", "Resource does not exist")
}
