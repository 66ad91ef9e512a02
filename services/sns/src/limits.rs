//! AWS's documented numbers, each with its source.

use std::time::Duration;

/// The size of a message with its attributes unless a topic says otherwise, in bytes.
/// <https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html>
pub(crate) const MESSAGE_BYTES_DEFAULT: usize = 256 * 1024;
/// What a topic may say, in bytes. Same source.
pub(crate) const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 1024..=1024 * 1024;
/// Messages in a batch.  <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>
pub(crate) const BATCH_ENTRIES: usize = 10;
/// How long a subscription may stay unconfirmed.
/// <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html>
pub(crate) const PENDING_MAX: Duration = Duration::from_secs(48 * 3600);
/// How many topics or subscriptions a page lists.
/// <https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html>
pub(crate) const PAGE: usize = 100;
/// Attributes of a message that is delivered raw to a queue.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html>
pub(crate) const RAW_ATTRIBUTES: usize = 10;
/// Characters of a subject.  <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub(crate) const SUBJECT_CHARS: usize = 100;
/// Characters of a topic's name.  <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
pub(crate) const NAME_CHARS: usize = 256;
/// How long a FIFO topic remembers what was published.
/// <https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html>
pub(crate) const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);
/// Subscriptions of a FIFO topic.  <https://docs.aws.amazon.com/general/latest/gr/sns.html>
pub(crate) const FIFO_SUBSCRIPTIONS: usize = 100;
/// Topics of an account in a region. Same source.
pub(crate) const TOPICS: usize = 100_000;
