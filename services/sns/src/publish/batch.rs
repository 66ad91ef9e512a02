//! `PublishBatch`

use std::collections::BTreeSet;

use wire::{Context, Error};

use super::fan_out::{Accepted, accept};
use super::message::{Message, Sent};
use crate::arn::TopicArn;
use crate::error::{Refusal, topic_not_found};
use crate::limits::BATCH_ENTRIES;
use crate::record::TOPICS;
use crate::{Sns, access, shapes};

/// Publishes up to ten messages. What is wrong with one does not keep the others back.
pub(crate) async fn publish_batch(
    sns: Sns,
    cx: Context,
    input: shapes::PublishBatchInput,
) -> Result<shapes::PublishBatchResponse, Error> {
    let arn = TopicArn::parse(&input.topic_arn)?;
    let entries = input.publish_batch_request_entries;
    check_batch(&entries)?;
    let sender = sns.clone();
    let outcomes = sns
        .write(move |tx| {
            let topic = tx.get(&TOPICS, arn.key())?.ok_or_else(topic_not_found)?;
            access::check(&cx, &arn, &topic, "sns:Publish")?;
            let mut messages: Vec<(String, Result<Message, Error>)> = Vec::with_capacity(entries.len());
            for entry in entries {
                let (id, sent) = split(entry);
                messages.push((id, Message::for_topic(sent, &topic)));
            }
            let bytes: usize = messages
                .iter()
                .filter_map(|(_, message)| message.as_ref().ok())
                .map(|message| message.bytes)
                .sum();
            if bytes > topic.attributes.message_bytes_max() {
                return Err(Error::new(
                    "BatchRequestTooLong",
                    "The length of all the messages put together is more than the limit.",
                )
                .into());
            }
            let mut outcomes = Vec::with_capacity(messages.len());
            for (id, message) in messages {
                let outcome = match message {
                    Ok(message) => Ok(accept(&sender, tx, (&cx).into(), &arn, &topic, message)?),
                    Err(error) => Err(error),
                };
                outcomes.push((id, outcome));
            }
            Ok::<_, Refusal>(outcomes)
        })
        .await?;
    let mut response =
        shapes::PublishBatchResponse { successful: Some(Vec::new()), failed: Some(Vec::new()) };
    for (id, outcome) in outcomes {
        match outcome {
            Ok(Accepted { message_id, sequence }) => {
                response.successful.get_or_insert_default().push(shapes::PublishBatchResultEntry {
                    id: Some(id),
                    message_id: Some(message_id.to_string()),
                    sequence_number: sequence,
                });
            }
            Err(error) => response.failed.get_or_insert_default().push(shapes::BatchResultErrorEntry {
                id,
                code: error.code.into_owned(),
                message: Some(error.message),
                sender_fault: true,
            }),
        }
    }
    Ok(response)
}

fn split(entry: shapes::PublishBatchRequestEntry) -> (String, Sent) {
    let sent = Sent {
        message: entry.message,
        subject: entry.subject,
        structure: entry.message_structure,
        attributes: entry.message_attributes,
        deduplication: entry.message_deduplication_id,
        group: entry.message_group_id,
    };
    (entry.id, sent)
}

fn check_batch(entries: &[shapes::PublishBatchRequestEntry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Err(Error::new("EmptyBatchRequest", "The batch request doesn't contain any entries."));
    }
    if entries.len() > BATCH_ENTRIES {
        return Err(Error::new(
            "TooManyEntriesInBatchRequest",
            format!("The batch request contains more entries than permissible: {}", entries.len()),
        ));
    }
    let mut seen = BTreeSet::new();
    for entry in entries {
        /// <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatchRequestEntry.html>
        const ID_CHARS: usize = 80;
        let legal = entry.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if entry.id.is_empty() || entry.id.len() > ID_CHARS || !legal {
            return Err(Error::new(
                "InvalidBatchEntryId",
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            ));
        }
        if !seen.insert(entry.id.as_str()) {
            return Err(Error::new(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[&str]) -> Result<(), String> {
        let entry =
            |id: &&str| shapes::PublishBatchRequestEntry { id: (*id).to_owned(), ..Default::default() };
        check_batch(&ids.iter().map(entry).collect::<Vec<_>>()).map_err(|error| error.code.into_owned())
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_ids_of_their_own() {
        assert_eq!(check(&["a", "b-2", "C_3"]), Ok(()));
        assert_eq!(check(&[]).unwrap_err(), "EmptyBatchRequest");
        assert_eq!(check(&["a"; 11]).unwrap_err(), "TooManyEntriesInBatchRequest");
        assert_eq!(check(&["a", "a"]).unwrap_err(), "BatchEntryIdsNotDistinct");
        assert_eq!(check(&["a b"]).unwrap_err(), "InvalidBatchEntryId");
        assert_eq!(check(&[""]).unwrap_err(), "InvalidBatchEntryId");
    }
}
