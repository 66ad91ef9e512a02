//! The record that functions, queues and topics get.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use bytes::Bytes;
use domain::{Principal, Timestamp};
use serde_json::{Value, json};

use super::{Change, Happened};
use crate::buckets;
use crate::call::Call;
use crate::lists::in_url;
use crate::version_id;

/// What a delete marker has: the MD5 of nothing.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
pub(super) const MARKER_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// A notification with one record.
pub(super) fn notification(call: &Call, change: &Change<'_>, configuration: &str, now: Timestamp) -> Bytes {
    let bucket = change.bucket;
    let (id, host_id) = wire::gateway::s3_ids(call.context.request_id);
    // What a rule does, S3 does.
    let (who, from) = match change.happened {
        Happened::Expired | Happened::ExpiryMarkerCreated => {
            ("s3.amazonaws.com".to_owned(), "s3.amazonaws.com".to_owned())
        }
        _ => (principal(call), call.context.source_ip.to_string()),
    };
    let record = json!({
        "eventVersion": version(change.happened),
        "eventSource": "aws:s3",
        "awsRegion": bucket.region.as_str(),
        "eventTime": shown(now),
        "eventName": change.happened.name(),
        "userIdentity": { "principalId": who },
        "requestParameters": { "sourceIPAddress": from },
        "responseElements": { "x-amz-request-id": id, "x-amz-id-2": host_id },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": { "principalId": bucket.owner.as_str() },
                "arn": buckets::arn(&bucket.name),
            },
            "object": object(change),
        },
    });
    json!({ "Records": [record] }).to_string().into()
}

fn object(change: &Change<'_>) -> Value {
    let mut object = json!({ "key": in_url(change.key), "sequencer": sequencer(change) });
    match (change.happened, &change.version.object) {
        (Happened::MarkerCreated | Happened::ExpiryMarkerCreated, _) => object["eTag"] = json!(MARKER_ETAG),
        (Happened::Deleted | Happened::Expired, _) | (_, None) => {}
        (_, Some(written)) => {
            object["eTag"] = json!(written.etag);
            object["size"] = json!(written.size);
        }
    }
    if change.bucket.versioning.is_some() && change.version.id != version_id::NULL {
        object["versionId"] = json!(change.version.id);
    }
    object
}

/// Grows with every change of a key; to be compared as text of equal length.
pub(super) fn sequencer(change: &Change<'_>) -> String {
    format!("{:018X}", change.sequence)
}

/// Which fields a record may have.
fn version(happened: Happened) -> &'static str {
    match happened {
        Happened::TagsPut
        | Happened::TagsDeleted
        | Happened::AclPut
        | Happened::Expired
        | Happened::ExpiryMarkerCreated => "2.3",
        _ => "2.1",
    }
}

fn principal(call: &Call) -> String {
    if call.anonymous {
        return "Anonymous".to_owned();
    }
    match &call.context.principal {
        Principal::Root(account) => account.as_str().to_owned(),
        Principal::User { id, .. } => format!("AWS:{id}"),
        Principal::AssumedRole { role_id, session, .. } => format!("AWS:{role_id}:{session}"),
    }
}

/// `2026-11-26T10:00:00.000Z`
pub(super) fn shown(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.epoch_ms()).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds() {
        assert_eq!(shown(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(Timestamp(1_700_000_000_120)), "2023-11-14T22:13:20.120Z");
    }
}
