//! What travels to one subscription: everything that its delivery needs, as it was when the message was accepted.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::publish::Attribute;
use crate::record::{Protocol, SignatureVersion};

/// A message on its way to one subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) content: Content,
    pub(crate) message_id: Uuid,
    pub(crate) topic: String,
    pub(crate) subscription: String,
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: String,
    pub(crate) version: SignatureVersion,
    /// When the message was published.
    pub(crate) at: Timestamp,
    /// The delivery policies that held then.
    pub(crate) topic_policy: Option<String>,
    pub(crate) subscription_policy: Option<String>,
    /// The queue for what cannot be delivered.
    pub(crate) dead_letter_queue: Option<String>,
    /// `X-Amzn-Trace-Id`
    pub(crate) trace_header: Option<String>,
}

/// What is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// A published message.
    Notification {
        message: String,
        subject: Option<String>,
        attributes: BTreeMap<String, Attribute>,
        raw: bool,
        group: Option<String>,
        deduplication: Option<String>,
        sequence: Option<String>,
    },
    /// The question whether the endpoint wants to be subscribed.
    Confirmation { token: String },
}
