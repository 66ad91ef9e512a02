//! What can be polled.

use std::ops::RangeInclusive;

use domain::Scope;
use serde::{Deserialize, Serialize};
use wire::Error;

use crate::error::{invalid_parameter, not_supported};

/// The kinds of sources that Lambda polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// An SQS standard queue.
    Sqs,
    /// An SQS FIFO queue.
    SqsFifo,
    /// A Kinesis stream, or a consumer of one.
    Kinesis,
    /// A DynamoDB table's stream.
    DynamoDb,
    /// A topic in Amazon MSK.
    Msk,
    /// A topic in somebody's own Kafka.
    SelfManagedKafka,
    /// A queue of an Amazon MQ broker.
    Mq,
    /// A DocumentDB change stream.
    DocumentDb,
}

/// What Lambda must know of a queue before it polls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFacts {
    /// How long a received message is hidden from others, in seconds.
    pub visibility_timeout_seconds: u32,
}

/// Why a source cannot be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSourceError {
    /// Hearth does not have such sources.
    NotSupported,
    /// There is none of that name.
    NotFound,
}

/// Asks the server about a queue, by its ARN.
pub type EventSource = Box<dyn Fn(&Scope, &str) -> Result<QueueFacts, EventSourceError> + Send + Sync>;

impl SourceKind {
    /// Tells by the ARN.
    pub fn of_arn(arn: &str) -> Result<Self, Error> {
        let service = crate::event_invoke::arn_service(arn);
        match service {
            Some("sqs") if arn.ends_with(".fifo") => Ok(Self::SqsFifo),
            Some("sqs") => Ok(Self::Sqs),
            Some("kinesis") => Ok(Self::Kinesis),
            Some("dynamodb") if arn.contains("/stream/") => Ok(Self::DynamoDb),
            Some("kafka") => Ok(Self::Msk),
            Some("mq") => Ok(Self::Mq),
            Some("rds") => Ok(Self::DocumentDb),
            _ => Err(invalid_parameter("Unrecognized event source.")),
        }
    }

    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sqs | Self::SqsFifo => "SQS queues",
            Self::Kinesis => "Kinesis streams",
            Self::DynamoDb => "DynamoDB streams",
            Self::Msk => "Amazon MSK",
            Self::SelfManagedKafka => "self-managed Apache Kafka",
            Self::Mq => "Amazon MQ",
            Self::DocumentDb => "DocumentDB",
        }
    }

    /// A queue of SQS.
    pub fn is_sqs(self) -> bool {
        matches!(self, Self::Sqs | Self::SqsFifo)
    }

    /// Shards of records.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Kinesis | Self::DynamoDb)
    }

    /// Topics and partitions.
    pub fn is_kafka(self) -> bool {
        matches!(self, Self::Msk | Self::SelfManagedKafka)
    }

    /// `BatchSize`: what is allowed, and what it is if nobody says.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
    pub fn batch_sizes(self) -> (RangeInclusive<u32>, u32) {
        match self {
            Self::Sqs => (1..=10_000, 10),
            Self::SqsFifo => (1..=10, 10),
            _ => (1..=10_000, 100),
        }
    }

    /// `MaximumBatchingWindowInSeconds` if nobody says. Where it is none, batches wait for 500 ms.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching>
    pub fn batching_window_seconds(self) -> Option<u32> {
        (self.is_sqs() || self.is_stream()).then_some(0)
    }

    /// Refuses what nothing in Hearth could poll.
    pub fn refuse_unsupported(self) -> Result<(), Error> {
        if self.is_sqs() {
            return Ok(());
        }
        Err(self.not_supported())
    }

    /// Hearth has no such sources.
    pub fn not_supported(self) -> Error {
        not_supported(&format!("event source mappings from {}", self.title()))
    }
}

/// Asks about the queue, and says what is wrong in AWS's words.
pub fn queue_facts(
    source: &EventSource,
    scope: &Scope,
    kind: SourceKind,
    arn: &str,
) -> Result<QueueFacts, Error> {
    source(scope, arn).map_err(|error| match error {
        EventSourceError::NotSupported => kind.not_supported(),
        EventSourceError::NotFound => invalid_parameter(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
             Message: The specified queue does not exist.",
        ),
    })
}

/// A message that is hidden for less long than its function may run would be received again while it is worked on.
pub fn check_visibility(facts: QueueFacts, function_timeout_seconds: u32) -> Result<(), Error> {
    let visibility = facts.visibility_timeout_seconds;
    if visibility >= function_timeout_seconds {
        return Ok(());
    }
    Err(invalid_parameter(format!(
        "Queue visibility timeout: {visibility} seconds is less than Function timeout: {function_timeout_seconds} seconds"
    )))
}
