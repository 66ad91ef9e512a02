//! The event that EventBridge gets.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use bytes::Bytes;
use serde_json::json;

use super::record::{MARKER_ETAG, sequencer};
use super::{Change, Happened};
use crate::buckets;
use crate::call::Call;
use crate::version_id;

/// Which version of an event's fields this is.
const EVENT_VERSION: &str = "1.1";
const GONE: &str = "Permanently Deleted";
const MARKED: &str = "Delete Marker Created";

/// What the default bus is to make an event of.
pub(super) fn event(call: &Call, change: &Change<'_>) -> Bytes {
    let bucket = change.bucket;
    let (kind, reason, deletion) = names(change.happened);
    let mut object = json!({ "key": change.key });
    match (deletion, &change.version.object) {
        (Some(MARKED), _) => object["etag"] = json!(MARKER_ETAG),
        (Some(_), _) | (None, None) => {}
        (None, Some(written)) => {
            object["etag"] = json!(written.etag);
            if kind == "Object Created" {
                object["size"] = json!(written.size);
            }
        }
    }
    if bucket.versioning.is_some() && change.version.id != version_id::NULL {
        object["version-id"] = json!(change.version.id);
    }
    if matches!(kind, "Object Created" | "Object Deleted") {
        object["sequencer"] = json!(sequencer(change));
    }
    let by_rule = matches!(change.happened, Happened::Expired | Happened::ExpiryMarkerCreated);
    let requester = if by_rule { "s3.amazonaws.com" } else { call.account().as_str() };
    let mut detail = json!({
        "version": "0",
        "event-version": EVENT_VERSION,
        "bucket": { "name": bucket.name },
        "object": object,
        "request-id": wire::gateway::s3_ids(call.context.request_id).0,
        "requester": requester,
    });
    if !by_rule {
        detail["source-ip-address"] = json!(call.context.source_ip.to_string());
    }
    if let Some(reason) = reason {
        detail["reason"] = json!(reason);
    }
    if let Some(deletion) = deletion {
        detail["deletion-type"] = json!(deletion);
    }
    let event = json!({
        "source": "aws.s3",
        "detail-type": kind,
        "resources": [buckets::arn(&bucket.name)],
        "detail": detail,
    });
    event.to_string().into()
}

/// The event's kind, its reason, and how the object was deleted.
fn names(happened: Happened) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    match happened {
        Happened::CreatedByPut => ("Object Created", Some("PutObject"), None),
        Happened::CreatedByPost => ("Object Created", Some("POST Object"), None),
        Happened::CreatedByCopy => ("Object Created", Some("CopyObject"), None),
        Happened::CreatedByCompleteMultipartUpload => {
            ("Object Created", Some("CompleteMultipartUpload"), None)
        }
        Happened::Deleted => ("Object Deleted", Some("DeleteObject"), Some(GONE)),
        Happened::MarkerCreated => ("Object Deleted", Some("DeleteObject"), Some(MARKED)),
        Happened::Expired => ("Object Deleted", Some("Lifecycle Expiration"), Some(GONE)),
        Happened::ExpiryMarkerCreated => ("Object Deleted", Some("Lifecycle Expiration"), Some(MARKED)),
        Happened::TagsPut => ("Object Tags Added", None, None),
        Happened::TagsDeleted => ("Object Tags Deleted", None, None),
        Happened::AclPut => ("Object ACL Updated", None, None),
    }
}
