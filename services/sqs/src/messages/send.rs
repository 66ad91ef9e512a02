//! Sending.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Principal;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wire::{Context, Error};

use super::batch::{check_ids, failed};
use crate::Sqs;
use crate::deposit::{Accepted, Deposit};
use crate::digest;
use crate::error::{invalid_parameter, invalid_value, missing};
use crate::index::Sequence;
use crate::limits::{BATCH_BYTES_MAX, DELAY_SECONDS, GROUP_CHARS_MAX};
use crate::message::{Envelope, Message, is_allowed};
use crate::message_attributes::{self, Attribute};
use crate::queue::Queue;
use crate::shapes::{
    SendMessageBatchRequest, SendMessageBatchRequestEntry, SendMessageBatchResult,
    SendMessageBatchResultEntry, SendMessageRequest, SendMessageResult,
};

/// `SendMessage`
pub async fn send(sqs: Sqs, cx: Context, input: SendMessageRequest) -> Result<SendMessageResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "SendMessage")?;
    let draft = Draft {
        body: input.message_body,
        delay_seconds: input.delay_seconds,
        attributes: message_attributes::parse(input.message_attributes)?,
        system: message_attributes::parse_system(input.message_system_attributes)?,
        deduplication: input.message_deduplication_id,
        group: input.message_group_id,
        sender: sender(&cx.principal),
    };
    draft.check_size(queue.current().settings.message_bytes_max)?;
    let digests = draft.digests();
    let deposit = traced(draft.check(&queue)?, &cx);
    let accepted = sqs.deposit(&queue, vec![deposit]).await?.remove(0);
    Ok(SendMessageResult {
        md5_of_message_body: Some(digests.body),
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system,
        message_id: Some(accepted.message_id),
        sequence_number: queue.fifo.then(|| sequence_number(accepted.sequence)),
    })
}

/// A message goes on in the trace of the request that brought it, unless it names one itself. By it, functions that call
/// themselves through a queue are found.
fn traced(mut deposit: Deposit, cx: &Context) -> Deposit {
    let of_request = || cx.headers.get("x-amzn-trace-id")?.to_str().ok().map(str::to_owned);
    let trace = &mut deposit.message.envelope.trace;
    *trace = trace.take().or_else(of_request);
    deposit
}

/// `SendMessageBatch`
pub async fn send_batch(
    sqs: Sqs,
    cx: Context,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "SendMessage")?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let sender = sender(&cx.principal);
    let mut result = SendMessageBatchResult::default();
    let (mut drafts, mut bytes) = (Vec::new(), 0);
    for entry in input.entries {
        let (id, draft) = draft_of(entry, &sender);
        match draft {
            Ok(draft) => {
                bytes += draft.bytes();
                drafts.push((id, draft));
            }
            Err(error) => result.failed.push(failed(id, error)),
        }
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(Error::new(
            "BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {bytes} bytes."
            ),
        ));
    }
    // What a FIFO queue needs of every message is asked of the batch as a whole, as AWS does.
    drafts.iter().try_for_each(|(_, draft)| draft.check_order(&queue).map_err(of_the_batch))?;
    let (mut entries, mut deposits) = (Vec::new(), Vec::new());
    for (id, draft) in drafts {
        let digests = draft.digests();
        match draft.check(&queue) {
            Ok(deposit) => {
                entries.push((id, digests));
                deposits.push(traced(deposit, &cx));
            }
            Err(error) => result.failed.push(failed(id, error)),
        }
    }
    if deposits.is_empty() {
        return Ok(result);
    }
    let accepted = sqs.deposit(&queue, deposits).await?;
    for ((id, digests), Accepted { message_id, sequence }) in entries.into_iter().zip(accepted) {
        result.successful.push(SendMessageBatchResultEntry {
            id,
            message_id,
            md5_of_message_body: digests.body,
            md5_of_message_attributes: digests.attributes,
            md5_of_message_system_attributes: digests.system,
            sequence_number: queue.fifo.then(|| sequence_number(sequence)),
        });
    }
    Ok(result)
}

fn draft_of(entry: SendMessageBatchRequestEntry, sender: &str) -> (String, Result<Draft, Error>) {
    let SendMessageBatchRequestEntry {
        id,
        message_body: body,
        delay_seconds,
        message_attributes,
        message_system_attributes,
        message_deduplication_id: deduplication,
        message_group_id: group,
    } = entry;
    let draft = message_attributes::parse(message_attributes).and_then(|attributes| {
        let system = message_attributes::parse_system(message_system_attributes)?;
        Ok(Draft { body, delay_seconds, attributes, system, deduplication, group, sender: sender.to_owned() })
    });
    (id, draft)
}

/// A batch says that a parameter is missing with another code than a single send.
fn of_the_batch(error: Error) -> Error {
    match error.code.as_ref() {
        "MissingRequiredParameterException" => invalid_parameter(error.message),
        _ => error,
    }
}

/// A message on its way in.
#[derive(Debug)]
pub struct Draft {
    /// What it says.
    pub body: String,
    /// How long it is not received at first, if that is not the queue's own delay.
    pub delay_seconds: Option<i32>,
    /// The sender's attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// System attributes.
    pub system: BTreeMap<String, Attribute>,
    /// `MessageDeduplicationId`
    pub deduplication: Option<String>,
    /// `MessageGroupId`
    pub group: Option<String>,
    /// Who sends it.
    pub sender: String,
}

/// The digests of a message.
#[derive(Debug)]
pub struct Digests {
    body: String,
    attributes: Option<String>,
    system: Option<String>,
}

impl Draft {
    /// What counts towards limits; system attributes do not.
    fn bytes(&self) -> usize {
        self.body.len() + message_attributes::weight(&self.attributes)
    }

    /// Whether it is not too long.
    pub fn check_size(&self, bytes_max: usize) -> Result<(), Error> {
        if self.bytes() <= bytes_max {
            return Ok(());
        }
        Err(invalid_parameter(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
        )))
    }

    fn digests(&self) -> Digests {
        Digests {
            body: digest::of_body(self.body.as_bytes()),
            attributes: digest::of_attributes(&self.attributes),
            system: digest::of_attributes(&self.system),
        }
    }

    /// What a FIFO queue needs to keep order, and what it needs to know a message again.
    fn check_order(&self, queue: &Queue) -> Result<(), Error> {
        if !queue.fifo {
            return Ok(());
        }
        if self.group.as_deref().is_none_or(str::is_empty) {
            return Err(missing("MessageGroupId"));
        }
        if self.deduplication.is_none() && !queue.current().settings.deduplicates_by_content {
            return Err(invalid_parameter(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly",
            ));
        }
        Ok(())
    }

    /// The message, if the queue takes it.
    pub fn check(self, queue: &Arc<Queue>) -> Result<Deposit, Error> {
        if self.body.is_empty() {
            return Err(missing("MessageBody"));
        }
        if !is_allowed(&self.body) {
            return Err(Error::new(
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                 #xFFFD | #x10000 to #x10FFFF.",
            ));
        }
        self.check_order(queue)?;
        let delay = self.delay(queue)?;
        for (name, value) in
            [("MessageGroupId", &self.group), ("MessageDeduplicationId", &self.deduplication)]
        {
            if let Some(value) = value.as_deref().filter(|value| !is_group(value)) {
                return Err(invalid_value(
                    value,
                    name,
                    &format!(
                        "{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
                    ),
                ));
            }
        }
        if let (false, Some(id)) = (queue.fifo, &self.deduplication) {
            return Err(invalid_value(
                id,
                "MessageDeduplicationId",
                "The request include parameter that is not valid for this queue type",
            ));
        }
        let deduplication = match self.deduplication {
            None if queue.fifo => Some(hex(&Sha256::digest(self.body.as_bytes()))),
            given => given,
        };
        let trace = message_attributes::trace(&self.system);
        let envelope = Envelope {
            id: Uuid::new_v4().to_string(),
            sender: self.sender,
            attributes: self.attributes,
            trace,
            group: self.group,
            deduplication,
            source: None,
        };
        Ok(Deposit { message: Message { envelope, body: self.body.into() }, delay, sent: None })
    }

    fn delay(&self, queue: &Queue) -> Result<Duration, Error> {
        match self.delay_seconds {
            None => Ok(queue.current().settings.delay),
            // A FIFO queue has one delay for all, so that order is kept.
            Some(seconds) if queue.fifo && seconds != 0 => Err(invalid_value(
                seconds,
                "DelaySeconds",
                "The request include parameter that is not valid for this queue type.",
            )),
            Some(_) if queue.fifo => Ok(queue.current().settings.delay),
            Some(seconds) if DELAY_SECONDS.contains(&i64::from(seconds)) => {
                Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
            }
            Some(seconds) => {
                Err(invalid_value(seconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."))
            }
        }
    }
}

/// Letters, digits and punctuation, up to 128 of them.
fn is_group(text: &str) -> bool {
    (1..=GROUP_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// `SenderId`: a user's id, a role's id and session, or the account.
pub fn sender(principal: &Principal) -> String {
    match principal {
        Principal::Root(account) => account.to_string(),
        Principal::User { id, .. } => id.clone(),
        Principal::AssumedRole { role_id, session, .. } => format!("{role_id}:{session}"),
    }
}

/// `SequenceNumber`: twenty digits that grow.
pub(crate) fn sequence_number(sequence: Sequence) -> String {
    const FIRST: u128 = 18_800_000_000_000_000_000;
    // AWS's are far apart, too: nobody should expect the next one.
    (FIRST + u128::from(sequence) * 256).to_string()
}
