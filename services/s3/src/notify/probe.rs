//! `s3:TestEvent`: the first message that a queue or a topic gets from a bucket.

use deliveries::{Delivery, Message};
use domain::Timestamp;
use s3s::dto::NotificationConfiguration;
use serde_json::json;
use uuid::Uuid;

use super::matching::entries;
use super::record::shown;
use super::sender;
use crate::record::Bucket;

/// One for each queue and topic; functions get none.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub(super) fn tests(
    bucket: &Bucket,
    configured: &NotificationConfiguration,
    request_id: Uuid,
    now: Timestamp,
) -> Vec<Delivery> {
    let (id, host_id) = wire::gateway::s3_ids(request_id);
    let event = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": shown(now),
        "Bucket": bucket.name,
        "RequestId": id,
        "HostId": host_id,
    });
    let told = entries(configured).into_iter().filter(|entry| entry.service != "lambda");
    told.map(|entry| {
        let subject = (entry.service == "sns").then(|| "Amazon S3 Notification".to_owned());
        Delivery::new(entry.arn, event.to_string(), sender(bucket))
            .with(&Message { subject, ..Message::default() })
    })
    .collect()
}
