//! Tags on groups, by the API's two generations.

use std::collections::BTreeMap;

use domain::limits;
use wire::{Context, Error, Unit};

use super::target::of_arn;
use crate::Logs;
use crate::error::{Refusal, invalid_parameter};
use crate::record::{GROUPS, group};
use crate::shapes::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
    ListTagsLogGroupResponse, TagLogGroupRequest, TagResourceRequest, UntagLogGroupRequest,
    UntagResourceRequest,
};

type Tags = BTreeMap<String, String>;

/// `TagResource`
pub async fn tag_resource(logs: Logs, cx: Context, input: TagResourceRequest) -> Result<Unit, Error> {
    let name = of_arn(&cx, &input.resource_arn)?;
    let resource = input.resource_arn;
    check_tags(&input.tags)?;
    change(logs, cx, name, move |tags| {
        tags.extend(input.tags);
        if tags.len() > limits::TAGS {
            let error = Error::new(
                "TooManyTagsException",
                format!("A resource can have no more than {} tags.", limits::TAGS),
            );
            return Err(error.with_field("resourceName", resource));
        }
        Ok(())
    })
    .await
}

/// `UntagResource`
pub async fn untag_resource(logs: Logs, cx: Context, input: UntagResourceRequest) -> Result<Unit, Error> {
    let name = of_arn(&cx, &input.resource_arn)?;
    remove(logs, cx, name, input.tag_keys).await
}

/// `ListTagsForResource`
pub async fn list_tags_for_resource(
    logs: Logs,
    cx: Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let name = of_arn(&cx, &input.resource_arn)?;
    Ok(ListTagsForResourceResponse { tags: Some(read(&logs, &cx, &name)?) })
}

/// `TagLogGroup`
pub async fn tag_log_group(logs: Logs, cx: Context, input: TagLogGroupRequest) -> Result<Unit, Error> {
    check_tags(&input.tags)?;
    change(logs, cx, input.log_group_name, move |tags| {
        tags.extend(input.tags);
        if tags.len() > limits::TAGS {
            return Err(invalid_parameter(format!(
                "A log group can have no more than {} tags.",
                limits::TAGS
            )));
        }
        Ok(())
    })
    .await
}

/// `UntagLogGroup`
pub async fn untag_log_group(logs: Logs, cx: Context, input: UntagLogGroupRequest) -> Result<Unit, Error> {
    remove(logs, cx, input.log_group_name, input.tags).await
}

/// `ListTagsLogGroup`
pub async fn list_tags_log_group(
    logs: Logs,
    cx: Context,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, Error> {
    Ok(ListTagsLogGroupResponse { tags: Some(read(&logs, &cx, &input.log_group_name)?) })
}

/// What the model's constraints do not say of tags.
pub fn check_tags(tags: &Tags) -> Result<(), Error> {
    match tags.keys().find(|key| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        Some(_) => {
            Err(invalid_parameter("User-defined tag keys can't start with 'aws:'. This prefix is reserved."))
        }
        None => Ok(()),
    }
}

async fn remove(logs: Logs, cx: Context, name: String, keys: Vec<String>) -> Result<Unit, Error> {
    change(logs, cx, name, move |tags| {
        tags.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await
}

async fn change(
    logs: Logs,
    cx: Context,
    name: String,
    change: impl FnOnce(&mut Tags) -> Result<(), Error> + Send + 'static,
) -> Result<Unit, Error> {
    logs.write(move |tx| {
        let mut record = group(tx, &cx.scope, &name)?;
        change(&mut record.tags)?;
        tx.put(&GROUPS, (&cx.scope, name.as_str()), &record)?;
        Ok::<_, Refusal>(Unit::default())
    })
    .await
}

fn read(logs: &Logs, cx: &Context, name: &str) -> Result<Tags, Error> {
    logs.read(|snapshot| Ok(group(snapshot, &cx.scope, name)?.tags))
}
