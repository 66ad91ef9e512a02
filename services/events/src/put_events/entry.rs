//! An entry of `PutEvents`, checked.

use domain::{Scope, Timestamp};
use serde_json::Value;

use super::event::{Content, Event};
use crate::shapes;

/// Why an entry is not an event: AWS's code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Makes an event of an entry.
pub(super) fn read(
    scope: &Scope,
    entry: &shapes::PutEventsRequestEntry,
    now: Timestamp,
) -> Result<Event, Mistake> {
    let argument =
        |name: &str, value: &Option<String>| match value.as_deref().filter(|value| !value.is_empty()) {
            Some(value) => Ok(value.to_owned()),
            None => Err(Mistake {
                code: "InvalidArgument",
                message: format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            }),
        };
    let source = argument("Source", &entry.source)?;
    let detail_type = argument("DetailType", &entry.detail_type)?;
    let detail = argument("Detail", &entry.detail)?;
    if source.starts_with("aws.") {
        return Err(Mistake {
            code: "NotAuthorizedForSourceException",
            message: "Not authorized for the source.".to_owned(),
        });
    }
    let detail: Value = serde_json::from_str(&detail)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Mistake { code: "MalformedDetail", message: "Detail is malformed.".to_owned() })?;
    let content = Content {
        detail_type: &detail_type,
        source: &source,
        resources: entry.resources.as_deref().unwrap_or_default(),
        detail,
    };
    let event = Event::new(scope, entry.time.unwrap_or(now), now, content);
    Ok(Event { trace_header: entry.trace_header.clone(), ..event })
}

/// What an entry counts towards the limit.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
pub(super) fn bytes(entry: &shapes::PutEventsRequestEntry) -> usize {
    const TIME_BYTES: usize = 14;
    let text = |value: &Option<String>| value.as_ref().map_or(0, String::len);
    let resources: usize = entry.resources.iter().flatten().map(String::len).sum();
    entry.time.map_or(0, |_| TIME_BYTES)
        + text(&entry.source)
        + text(&entry.detail_type)
        + text(&entry.detail)
        + resources
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(source: &str, detail_type: &str, detail: &str) -> shapes::PutEventsRequestEntry {
        shapes::PutEventsRequestEntry {
            source: Some(source.to_owned()),
            detail_type: Some(detail_type.to_owned()),
            detail: Some(detail.to_owned()),
            ..Default::default()
        }
    }

    fn code(given: &shapes::PutEventsRequestEntry) -> &'static str {
        read(&Scope::default(), given, Timestamp(0)).unwrap_err().code
    }

    #[test]
    fn an_entry_becomes_an_event() {
        let now = Timestamp(1_700_000_000_999);
        let event = read(&Scope::default(), &entry("my.app", "Paid", r#"{"n":1}"#), now).unwrap().value;
        assert_eq!(event["time"], "2023-11-14T22:13:20Z");
        assert_eq!((event["source"].as_str(), event["detail-type"].as_str()), (Some("my.app"), Some("Paid")));
        assert_eq!(event["detail"]["n"], 1);
        assert_eq!(event["version"], "0");
    }

    #[test]
    fn what_is_missing_or_malformed_is_told() {
        assert_eq!(code(&entry("", "t", "{}")), "InvalidArgument");
        assert_eq!(code(&entry("s", "", "{}")), "InvalidArgument");
        assert_eq!(
            code(&shapes::PutEventsRequestEntry { detail: None, ..entry("s", "t", "") }),
            "InvalidArgument"
        );
        assert_eq!(code(&entry("s", "t", "nope")), "MalformedDetail");
        assert_eq!(code(&entry("s", "t", "[]")), "MalformedDetail");
        assert_eq!(code(&entry("aws.ec2", "t", "{}")), "NotAuthorizedForSourceException");
    }

    #[test]
    fn size_counts_what_the_guide_counts() {
        let given = shapes::PutEventsRequestEntry {
            time: Some(Timestamp(0)),
            resources: Some(vec!["ab".to_owned(), "c".to_owned()]),
            ..entry("s", "tt", "{}")
        };
        assert_eq!(bytes(&given), 14 + 1 + 2 + 2 + 3);
    }
}
