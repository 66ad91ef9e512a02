//! `CreateTopic`

use store::Scan;
use wire::{Context, Error};

use super::attributes;
use crate::arn::{FIFO_SUFFIX, TopicArn};
use crate::error::{Refusal, invalid, not_supported};
use crate::limits::{self, NAME_CHARS};
use crate::record::{TOPICS, TopicRecord};
use crate::{Sns, shapes, tags};

/// Makes a topic, or names the one that is there already and is just like it.
pub(crate) async fn create(
    sns: Sns,
    cx: Context,
    input: shapes::CreateTopicInput,
) -> Result<shapes::CreateTopicResponse, Error> {
    let name = input.name;
    check_name(&name)?;
    if input.data_protection_policy.is_some_and(|policy| !policy.is_empty()) {
        return Err(not_supported("data protection policies"));
    }
    let is_fifo = name.ends_with(FIFO_SUFFIX);
    let sent_attributes = input.attributes.is_some();
    let record = TopicRecord {
        attributes: attributes::of_new(input.attributes, is_fifo)?,
        tags: tags::of_new(input.tags)?,
        subscriptions_deleted: 0,
    };
    let arn = TopicArn { scope: cx.scope, name };
    let shown = arn.to_string();
    sns.write(move |tx| {
        if let Some(there) = tx.get(&TOPICS, arn.key())? {
            return same(&there, &record, sent_attributes).map_err(Refusal::from);
        }
        if tx.count(&TOPICS, &Scan::prefix((&arn.scope,)).limit(limits::TOPICS))? >= limits::TOPICS {
            return Err(
                Error::new("TopicLimitExceeded", "The account already has the maximum of topics").into()
            );
        }
        tx.put(&TOPICS, arn.key(), &record)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(shapes::CreateTopicResponse { topic_arn: Some(shown) })
}

/// Creating a topic twice is no mistake, unless the second is another.
fn same(there: &TopicRecord, asked: &TopicRecord, sent_attributes: bool) -> Result<(), Error> {
    if sent_attributes && there.attributes != asked.attributes {
        return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
    }
    if !asked.tags.is_empty() && there.tags != asked.tags {
        return Err(invalid("Tags Reason: Topic already exists with different tags"));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let base = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    let legal = base.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if base.is_empty() || !legal || name.len() > NAME_CHARS {
        return Err(invalid("Topic Name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_hyphens_and_underscores() {
        for name in ["a", "Orders_2-x", "orders.fifo"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".fifo", "a.b", "a b", "é", &"x".repeat(257)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
