//! Tags of queues.

use std::collections::BTreeMap;

use wire::{Context, Error, Unit};

use crate::Sqs;
use crate::error::invalid_parameter;
use crate::limits::TAGS_MAX;
use crate::shapes::{ListQueueTagsRequest, ListQueueTagsResult, TagQueueRequest, UntagQueueRequest};

/// The longest key and value of a tag, in characters.
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// `TagQueue`
pub async fn tag(sqs: Sqs, cx: Context, input: TagQueueRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "TagQueue")?;
    check_tags(&input.tags)?;
    sqs.change(&queue, move |record| {
        record.tags.extend(input.tags);
        check_tags(&record.tags)
    })
    .await?;
    Ok(Unit {})
}

/// `UntagQueue`
pub async fn untag(sqs: Sqs, cx: Context, input: UntagQueueRequest) -> Result<Unit, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "UntagQueue")?;
    sqs.change(&queue, move |record| {
        record.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(Unit {})
}

/// `ListQueueTags`
pub async fn list_tags(
    sqs: Sqs,
    cx: Context,
    input: ListQueueTagsRequest,
) -> Result<ListQueueTagsResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "ListQueueTags")?;
    let tags = queue.current().record.tags.clone();
    Ok(ListQueueTagsResult { tags: Some(tags) })
}

/// What tags may be.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(invalid_parameter(format!(
            "Too many tags added for queue. Maximum number of tags is {TAGS_MAX}."
        )));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(invalid_parameter(format!(
                "Tag keys must be between 1 and {KEY_CHARS_MAX} characters in length."
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid_parameter("Tag keys must not start with 'aws:', which is reserved."));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(invalid_parameter(format!(
                "Tag values must be between 0 and {VALUE_CHARS_MAX} characters in length."
            )));
        }
    }
    Ok(())
}
