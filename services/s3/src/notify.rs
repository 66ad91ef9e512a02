//! What happened to an object, told in the transaction in which it happened.

mod bridge;
mod check;
mod configure;
mod matching;
mod probe;
mod record;

pub(crate) use configure::{configuration, configure};

use deliveries::{Delivery, Event, Message, Sender};
use s3s::dto::NotificationConfiguration;
use store::Tx;

use crate::call::Call;
use crate::error::Refusal;
use crate::record::{Bucket, Version};
use crate::{S3, buckets};

/// What the configuration is kept as.
pub(crate) const KIND: &str = "notification";
/// How S3 signs what it does for a bucket.
const PRINCIPAL: &str = "s3.amazonaws.com";
/// Carries the chain of calls that a request belongs to.
pub(crate) const TRACE_HEADER: &str = "x-amzn-trace-id";

/// What happened, as notifications name it without `s3:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    CreatedByPut,
    CreatedByPost,
    CreatedByCopy,
    CreatedByCompleteMultipartUpload,
    Deleted,
    MarkerCreated,
    TagsPut,
    TagsDeleted,
    AclPut,
    /// A lifecycle rule deleted it.
    Expired,
    /// A lifecycle rule put a delete marker before it.
    ExpiryMarkerCreated,
}

impl Happened {
    /// Whether an object went, or went out of sight.
    pub(crate) fn is_deletion(self) -> bool {
        matches!(self, Self::Deleted | Self::MarkerCreated | Self::Expired | Self::ExpiryMarkerCreated)
    }

    /// The event's name.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreatedByPut => "ObjectCreated:Put",
            Self::CreatedByPost => "ObjectCreated:Post",
            Self::CreatedByCopy => "ObjectCreated:Copy",
            Self::CreatedByCompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Deleted => "ObjectRemoved:Delete",
            Self::MarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Self::TagsPut => "ObjectTagging:Put",
            Self::TagsDeleted => "ObjectTagging:Delete",
            Self::AclPut => "ObjectAcl:Put",
            Self::Expired => "LifecycleExpiration:Delete",
            Self::ExpiryMarkerCreated => "LifecycleExpiration:DeleteMarkerCreated",
        }
    }
}

/// A change of one object.
pub(crate) struct Change<'c> {
    pub(crate) bucket: &'c Bucket,
    pub(crate) key: &'c str,
    pub(crate) version: &'c Version,
    /// The number of the change: later changes of a key have greater ones.
    pub(crate) sequence: u64,
    pub(crate) happened: Happened,
}

/// Tells whoever the bucket's notification configuration names.
pub(crate) fn announce(s3: &S3, tx: &mut Tx<'_>, call: &Call, change: &Change<'_>) -> Result<(), Refusal> {
    let bucket = change.bucket;
    let Some(configured) = crate::configuration::read::<NotificationConfiguration>(tx, &bucket.name, KIND)?
    else {
        return Ok(());
    };
    let trace_header = trace_header(call);
    for target in matching::targets(&configured, change.happened.name(), change.key) {
        let payload = record::notification(call, change, target.id, s3.now());
        let delivery = Delivery::new(target.arn, payload, sender(bucket));
        let delivery = match target.arn.split(':').nth(2) {
            Some("lambda") => {
                delivery.with(&Event { trace_header: trace_header.clone(), ..Event::default() })
            }
            Some("sns") => delivery.with(&Message {
                trace_header: trace_header.clone(),
                subject: Some("Amazon S3 Notification".to_owned()),
                ..Message::default()
            }),
            _ => delivery.with(&Message { trace_header: trace_header.clone(), ..Message::default() }),
        };
        s3.deliveries.accept(tx, delivery)?;
    }
    if configured.event_bridge_configuration.is_some() {
        let bus =
            format!("arn:aws:events:{}:{}:event-bus/default", bucket.region.as_str(), bucket.owner.as_str());
        let delivery = Delivery::new(bus, bridge::event(call, change), sender(bucket));
        s3.deliveries.accept(tx, delivery)?;
    }
    Ok(())
}

/// Who notifies.
fn sender(bucket: &Bucket) -> Sender {
    Sender::Service {
        principal: PRINCIPAL.to_owned(),
        source_arn: buckets::arn(&bucket.name),
        source_account: bucket.owner.as_str().to_owned(),
    }
}

/// So that a function that writes what it is called for is found to call itself.
fn trace_header(call: &Call) -> Option<String> {
    call.context.headers.get(TRACE_HEADER).and_then(|header| header.to_str().ok()).map(str::to_owned)
}
