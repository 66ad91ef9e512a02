//! An event as rules and targets see it.

use domain::{Scope, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) value: Value,
    /// When it came in.
    pub(crate) ingested: Timestamp,
    pub(crate) trace_header: Option<String>,
}

/// What an event says besides what every event has.
pub(crate) struct Content<'a> {
    pub(crate) detail_type: &'a str,
    pub(crate) source: &'a str,
    pub(crate) resources: &'a [String],
    pub(crate) detail: Value,
}

impl Event {
    /// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
    pub(crate) fn new(scope: &Scope, at: Timestamp, now: Timestamp, content: Content<'_>) -> Self {
        let id = Uuid::new_v4();
        let value = json!({
            "version": "0",
            "id": id,
            "detail-type": content.detail_type,
            "source": content.source,
            "account": scope.account.as_str(),
            "time": shown(at),
            "region": scope.region.as_str(),
            "resources": content.resources,
            "detail": content.detail,
        });
        Self { id, value, ingested: now, trace_header: None }
    }

    /// What a schedule sends.
    pub(crate) fn scheduled(scope: &Scope, rule_arn: &str, at: Timestamp) -> Self {
        let content = Content {
            detail_type: "Scheduled Event",
            source: "aws.events",
            resources: &[rule_arn.to_owned()],
            detail: json!({}),
        };
        Self::new(scope, at, at, content)
    }

    /// An event that is there already, from another bus or an archive.
    pub(crate) fn of_value(value: Value, now: Timestamp) -> Option<Self> {
        let id =
            value.get("id")?.as_str().and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_else(Uuid::new_v4);
        value.get("source")?.as_str()?;
        Some(Self { id, value, ingested: now, trace_header: None })
    }
}

/// Whole seconds, as AWS has them.
pub(crate) fn shown(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.epoch_ms().div_euclid(1_000)).unwrap_or_default().to_string()
}
