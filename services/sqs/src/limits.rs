//! Numbers that AWS documents for SQS.
//!
//! Unless another is named, the source is
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html> and
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.

use std::ops::RangeInclusive;
use std::time::Duration;

/// `DelaySeconds`, of a queue and of a message.
pub const DELAY_SECONDS: RangeInclusive<i64> = 0..=900;
/// `VisibilityTimeout`, in seconds.
pub const VISIBILITY_SECONDS: RangeInclusive<i64> = 0..=43_200;
/// `VisibilityTimeout` of a queue that says none.
pub const VISIBILITY_SECONDS_DEFAULT: i64 = 30;
/// `ReceiveMessageWaitTimeSeconds` and `WaitTimeSeconds`.
pub const WAIT_SECONDS: RangeInclusive<i64> = 0..=20;
/// `MessageRetentionPeriod`, in seconds.
pub const RETENTION_SECONDS: RangeInclusive<i64> = 60..=1_209_600;
/// `MessageRetentionPeriod` of a queue that says none: four days.
pub const RETENTION_SECONDS_DEFAULT: i64 = 345_600;
/// `MaximumMessageSize`, in bytes.
pub const MESSAGE_BYTES: RangeInclusive<i64> = 1_024..=1_048_576;
/// The messages of a batch together, in bytes.
pub const BATCH_BYTES_MAX: usize = 1_048_576;
/// Entries of a batch.
pub const BATCH_ENTRIES_MAX: usize = 10;
/// The id of a batch's entry, in characters.
pub const BATCH_ID_CHARS_MAX: usize = 80;
/// Messages of one receive.
pub const RECEIVE_MESSAGES: RangeInclusive<i64> = 1..=10;
/// `KmsDataKeyReusePeriodSeconds`.
pub const KMS_REUSE_SECONDS: RangeInclusive<i64> = 60..=86_400;
/// `KmsDataKeyReusePeriodSeconds` of a queue that says none.
pub const KMS_REUSE_SECONDS_DEFAULT: i64 = 300;
/// `maxReceiveCount` of a redrive policy.
pub const RECEIVE_COUNT: RangeInclusive<i64> = 1..=1_000;
/// Queues that a redrive-allow policy may list.
pub const REDRIVE_SOURCES_MAX: usize = 10;
/// Messages of a queue that are received and neither deleted nor visible again.
pub const IN_FLIGHT_MAX: usize = 120_000;
/// Attributes of a message.
pub const MESSAGE_ATTRIBUTES_MAX: usize = 10;
/// The name of a message's attribute, and its type, in characters.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;
/// A message's group, and its deduplication id, in characters.
pub const GROUP_CHARS_MAX: usize = 128;
/// A queue's name, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// Tags of a queue.
pub const TAGS_MAX: usize = 50;
/// How long a sent message stands in the way of another with its deduplication id.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>
pub const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);
/// How long an attempt to receive can be repeated with the same outcome.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html>
pub const RECEIVE_ATTEMPT: Duration = Duration::from_secs(5 * 60);
/// How long the name of a deleted queue is not free.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
pub const NAME_REUSE: Duration = Duration::from_secs(60);
/// How often a queue may be purged.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>
pub const PURGE_INTERVAL: Duration = Duration::from_secs(60);
/// `MaxResults` of lists of queues.
pub const LIST_RESULTS: RangeInclusive<i64> = 1..=1_000;
/// Queues that are listed when no number is given.
pub const LIST_RESULTS_DEFAULT: usize = 1_000;
/// `MaxNumberOfMessagesPerSecond` of a move task.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>
pub const MOVES_PER_SECOND: RangeInclusive<i64> = 1..=500;
/// Move tasks that are remembered of a queue.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>
pub const MOVE_TASKS: RangeInclusive<i64> = 1..=10;
/// Actions of one permission.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>
pub const PERMISSION_ACTIONS_MAX: usize = 7;
